package v4l2

// Covers reports whether the size, or range of sizes, holds width x height.
func (s Size) Covers(width, height int) bool {
	return within(width, s.MinWidth, s.MaxWidth, s.StepWidth) && within(height, s.MinHeight, s.MaxHeight, s.StepHeight)
}

func within(v, lo, hi, step int) bool {
	return v >= lo && v <= hi && (step <= 1 || (v-lo)%step == 0)
}

// Nearest gives the size of the range that is nearest to width x height.
func (s Size) Nearest(width, height int) (w, h int) {
	return nearest(width, s.MinWidth, s.MaxWidth, s.StepWidth), nearest(height, s.MinHeight, s.MaxHeight, s.StepHeight)
}

func nearest(v, lo, hi, step int) int {
	v = min(max(v, lo), hi)
	if step > 1 {
		v -= (v - lo) % step
	}
	return v
}
