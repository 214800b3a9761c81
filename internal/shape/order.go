package main

import (
	"maps"
	"slices"
)

// upward returns the number of arrows in graph that point up in a good order of the files:
// an order that puts each file above the ones it uses, as far as possible. Finding the
// best order (a minimum feedback arc set) would take too long. So it starts with the
// heuristic of Eades, Lin and Smyth (1993): it removes files that nothing uses and files
// that use nothing, and when there is neither, the file that uses the most and is used the
// least. Then it moves single files as long as that helps. The result is deterministic,
// and never below the minimum.
func upward(graph map[string]map[string]bool) int {
	left := map[string]bool{}
	for from, tos := range graph {
		left[from] = true
		for to := range tos {
			left[to] = true
		}
	}
	var top, bottom []string
	for len(left) > 0 {
		files := slices.Sorted(maps.Keys(left))
		out, in := degrees(graph, left)
		best := files[0]
		for _, f := range files {
			if in[f] == 0 || out[f] == 0 {
				best = f
				break
			}
			if out[f]-in[f] > out[best]-in[best] {
				best = f
			}
		}
		if out[best] == 0 && in[best] > 0 {
			bottom = append(bottom, best)
		} else {
			top = append(top, best)
		}
		delete(left, best)
	}
	slices.Reverse(bottom)
	order := append(top, bottom...)

	fewest := against(graph, order)
	for better := true; better; {
		better = false
		for _, f := range slices.Clone(order) {
			for to := range order {
				at := slices.Index(order, f)
				moved := slices.Insert(slices.Delete(slices.Clone(order), at, at+1), to, f)
				if n := against(graph, moved); n < fewest {
					order, fewest, better = moved, n, true
				}
			}
		}
	}
	return fewest
}

// degrees returns how many arrows leave and reach each file, counting only files in left.
func degrees(graph map[string]map[string]bool, left map[string]bool) (out, in map[string]int) {
	out, in = map[string]int{}, map[string]int{}
	for from := range left {
		for to := range graph[from] {
			if left[to] {
				out[from]++
				in[to]++
			}
		}
	}
	return out, in
}

// against returns the number of arrows that lead to an earlier file of order.
func against(graph map[string]map[string]bool, order []string) (n int) {
	at := map[string]int{}
	for i, f := range order {
		at[f] = i
	}
	for from, tos := range graph {
		for to := range tos {
			if at[to] < at[from] {
				n++
			}
		}
	}
	return n
}
