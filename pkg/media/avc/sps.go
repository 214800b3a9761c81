package avc

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// SPS is the content of a sequence parameter set (H.264 clause 7.3.2.1).
type SPS struct {
	Width, Height  int    // luma samples after cropping
	ProfileLevelID string // six lower-case hex digits (RFC 6184 section 8.1)
	Reorder        bool   // pictures may be put out in another order than sent: B-frames are possible, not certain
}

// Errors of ParseSPS.
var (
	ErrNotSPS   = errors.New("not a sequence parameter set")
	ErrTooShort = errors.New("sequence parameter set ends too early")
	ErrInvalid  = errors.New("sequence parameter set holds an impossible value")
)

// maxMbs bounds a side in macroblocks: level 6.2 allows 1055 (table A-1).
const maxMbs = 1055

// Profiles that carry chroma_format_idc and scaling lists.
var highProfiles = []byte{100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}

const profileBaseline = 66 // has no B slices (clause A.2.1)

// ParseSPS reads a sequence parameter set, NAL header included.
func ParseSPS(nal []byte) (SPS, error) {
	if TypeOf(nal) != SPSType {
		return SPS{}, ErrNotSPS
	}
	if len(nal) < 5 {
		return SPS{}, ErrTooShort
	}
	p := parser{r: bits{b: nal[4:]}, profile: nal[1]}
	p.s.ProfileLevelID = hex.EncodeToString(nal[1:4])
	err := p.parse()
	if p.r.short {
		err = ErrTooShort
	}
	if err != nil {
		return SPS{}, fmt.Errorf("read SPS: %w", err)
	}
	return p.s, nil
}

type parser struct {
	r       bits
	s       SPS
	profile byte
	chroma  uint32 // ChromaArrayType: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4
}

func (p *parser) parse() error {
	p.r.ue() // seq_parameter_set_id
	p.chroma = 1
	if slices.Contains(highProfiles, p.profile) {
		if err := p.high(); err != nil {
			return err
		}
	}
	p.r.ue() // log2_max_frame_num_minus4
	inOrder, err := p.pictureOrder()
	if err != nil {
		return err
	}
	p.r.ue()   // max_num_ref_frames
	p.r.flag() // gaps_in_frame_num_value_allowed_flag
	if err := p.size(); err != nil {
		return err
	}
	p.s.Reorder = p.profile != profileBaseline && !inOrder
	if p.r.flag() { // vui_parameters_present_flag
		p.vui()
	}
	return nil
}

// high reads what only the High profiles have.
func (p *parser) high() error {
	p.chroma = p.r.ue()
	if p.chroma > 3 {
		return ErrInvalid
	}
	lists := 8
	if p.chroma == 3 {
		lists = 12
		if p.r.flag() { // separate_colour_plane_flag
			p.chroma = 0
		}
	}
	p.r.ue()        // bit_depth_luma_minus8
	p.r.ue()        // bit_depth_chroma_minus8
	p.r.flag()      // qpprime_y_zero_transform_bypass_flag
	if p.r.flag() { // seq_scaling_matrix_present_flag
		for i := range lists {
			if p.r.flag() {
				p.scalingList(i)
			}
		}
	}
	return nil
}

// scalingList passes over a list (clause 7.3.2.1.1.1).
func (p *parser) scalingList(i int) {
	n := 16
	if i >= 6 {
		n = 64
	}
	last, next := int32(8), int32(8)
	for range n {
		if next != 0 {
			next = (last + p.r.se()) & 0xff
		}
		if next != 0 {
			last = next
		}
	}
}

// pictureOrder reports whether pictures are shown in the order in which they come.
func (p *parser) pictureOrder() (inOrder bool, err error) {
	switch p.r.ue() { // pic_order_cnt_type
	case 0:
		p.r.ue() // log2_max_pic_order_cnt_lsb_minus4
	case 1:
		p.r.flag() // delta_pic_order_always_zero_flag
		p.r.se()   // offset_for_non_ref_pic
		p.r.se()   // offset_for_top_to_bottom_field
		n := p.r.ue()
		if n > 255 { // num_ref_frames_in_pic_order_cnt_cycle
			return false, ErrInvalid
		}
		for range n {
			p.r.se() // offset_for_ref_frame
		}
	case 2:
		return true, nil // clause 8.2.1.3: output order is decoding order
	default:
		return false, ErrInvalid
	}
	return false, nil
}

// size reads the picture's size and crops it (equations 7-13 to 7-22).
func (p *parser) size() error {
	w, h := p.r.ue(), p.r.ue() // pic_width_in_mbs_minus1, pic_height_in_map_units_minus1
	if w >= maxMbs || h >= maxMbs {
		return ErrInvalid
	}
	fields := 1
	if !p.r.flag() { // frame_mbs_only_flag
		fields = 2
		p.r.flag() // mb_adaptive_frame_field_flag
	}
	p.r.flag() // direct_8x8_inference_flag
	p.s.Width, p.s.Height = 16*int(w+1), 16*int(h+1)*fields
	if !p.r.flag() { // frame_cropping_flag
		return nil
	}
	return p.crop(fields)
}

func (p *parser) crop(fields int) error {
	unitX, unitY := int64(1), int64(fields)
	if p.chroma == 1 || p.chroma == 2 {
		unitX = 2
	}
	if p.chroma == 1 {
		unitY *= 2
	}
	left, right, top, bottom := int64(p.r.ue()), int64(p.r.ue()), int64(p.r.ue()), int64(p.r.ue())
	x, y := unitX*(left+right), unitY*(top+bottom)
	if x >= int64(p.s.Width) || y >= int64(p.s.Height) {
		return ErrInvalid
	}
	p.s.Width -= int(x)
	p.s.Height -= int(y)
	return nil
}

// vui reads the usability information (clause E.1.1) for its one answer: how many
// pictures may be held back for reordering.
func (p *parser) vui() {
	r := &p.r
	if r.flag() && r.u(8) == 255 { // aspect_ratio_info_present_flag; Extended_SAR
		r.u(32)
	}
	if r.flag() { // overscan_info_present_flag
		r.flag()
	}
	if r.flag() { // video_signal_type_present_flag
		r.u(4)
		if r.flag() { // colour_description_present_flag
			r.u(24)
		}
	}
	if r.flag() { // chroma_loc_info_present_flag
		r.ue()
		r.ue()
	}
	if r.flag() { // timing_info_present_flag
		r.u(32)
		r.u(32)
		r.flag()
	}
	p.hrd()
	r.flag()      // pic_struct_present_flag
	if r.flag() { // bitstream_restriction_flag
		r.flag() // motion_vectors_over_pic_boundaries_flag
		r.ue()   // max_bytes_per_pic_denom
		r.ue()   // max_bits_per_mb_denom
		r.ue()   // log2_max_mv_length_horizontal
		r.ue()   // log2_max_mv_length_vertical
		if r.ue() == 0 && !r.short {
			p.s.Reorder = false // max_num_reorder_frames
		}
	}
}

// hrd passes over both sets of hypothetical decoder parameters (clause E.1.2).
func (p *parser) hrd() {
	r, present := &p.r, false
	for range 2 { // nal_hrd_parameters_present_flag, vcl_hrd_parameters_present_flag
		if !r.flag() {
			continue
		}
		present = true
		n := r.ue() // cpb_cnt_minus1
		r.u(8)
		for i := uint32(0); i <= min(n, 31) && !r.short; i++ {
			r.ue()
			r.ue()
			r.flag()
		}
		r.u(20)
	}
	if present {
		r.flag() // low_delay_hrd_flag
	}
}
