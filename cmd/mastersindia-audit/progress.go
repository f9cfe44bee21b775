// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"vault-plugin-secrets-mastersindia/internal/audit/logfile"
)

// progress shows how far the reading is, on a terminal only.
type progress struct {
	end  chan struct{}
	done sync.WaitGroup
}

// startProgress begins to show it. The caller stops it.
func startProgress(w io.Writer, sources []*logfile.Source) *progress {
	p := &progress{end: make(chan struct{})}
	if !isTerminal(w) {
		return p
	}
	p.done.Go(func() {
		began := time.Now()
		ticker := time.NewTicker(500 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-p.end:
				fmt.Fprint(w, "\r\x1b[K")
				return
			case <-ticker.C:
				fmt.Fprintf(w, "\r\x1b[K%s", progressText(sources, time.Since(began)))
			}
		}
	})
	return p
}

// stop ends the showing, and wipes the line.
func (p *progress) stop() {
	close(p.end)
	p.done.Wait()
}

// progressText is the line: bytes, percent where the sizes are known, and rate.
func progressText(sources []*logfile.Source, since time.Duration) string {
	const mega = 1e6
	var read, size int64
	known := true
	for _, source := range sources {
		read += source.Consumed()
		size += source.Size
		known = known && source.Size >= 0
	}
	text := fmt.Sprintf("read %.1f MB", float64(read)/mega)
	if known && size > 0 {
		text += fmt.Sprintf(" of %.1f MB, %d %%", float64(size)/mega, min(100*read/size, 100))
	}
	if seconds := since.Seconds(); seconds > 0 {
		text += fmt.Sprintf(", %.0f MB/s", float64(read)/mega/seconds)
	}
	return text
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
