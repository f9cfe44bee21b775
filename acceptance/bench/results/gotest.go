// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package results

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// InProcess are the benchmarks of `make bench`. Their names have no "Benchmark" in front and no number of processors behind.
type InProcess struct {
	// Names are in the order in which they ran.
	Names   []string
	figures map[string]map[string][]float64 // name → unit → what each round gave
}

// Figure is the median of a benchmark's figure in a unit such as ns/op.
func (p *InProcess) Figure(name, unit string) (float64, bool) {
	values := p.figures[name][unit]
	return median(slices.Clone(values)), len(values) > 0
}

// ReadInProcess reads what `go test -bench` printed.
func ReadInProcess(file string) (*InProcess, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p := &InProcess{figures: map[string]map[string][]float64{}}
	processors := regexp.MustCompile(`-\d+$`)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := processors.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), "")
		if p.figures[name] == nil {
			p.Names = append(p.Names, name)
			p.figures[name] = map[string][]float64{}
		}
		for n := 2; n+1 < len(fields); n += 2 {
			value, err := strconv.ParseFloat(fields[n], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: a line of no benchmark: %q", file, line)
			}
			p.figures[name][fields[n+1]] = append(p.figures[name][fields[n+1]], value)
		}
	}
	if len(p.figures) == 0 {
		return nil, fmt.Errorf("%s has no benchmark", file)
	}
	return p, nil
}

// Ratio is one benchmark's figure divided by another's, round by round.
func (p *InProcess) Ratio(name, base, unit string) (Spread, bool) {
	bases := p.figures[base][unit]
	var ratios []float64
	for round, value := range p.figures[name][unit] {
		if round < len(bases) && bases[round] > 0 {
			ratios = append(ratios, value/bases[round])
		}
	}
	return spreadOf(ratios)
}
