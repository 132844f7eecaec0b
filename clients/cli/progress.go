package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// progress is a bar on a terminal; a nil one shows nothing.
type progress struct {
	out   io.Writer
	what  string
	width int
}

// newProgress returns a bar on standard error when that is a terminal, nil otherwise.
func (a *app) newProgress(what string) *progress {
	if a.output == "json" || !isTerminal(a.err) {
		return nil
	}
	width, _, err := term.GetSize(int(a.err.(*os.File).Fd())) // isTerminal: it is a file
	if err != nil || width < 20 {
		width = 80
	}
	return &progress{out: a.err, what: what, width: width}
}

// show draws the bar anew. share is 0 to 1.
func (p *progress) show(share float64, note string) {
	if p != nil {
		fmt.Fprintf(p.out, "\r%s", p.line(share, note))
	}
}

// line is the bar in the terminal's width.
func (p *progress) line(share float64, note string) string {
	share = min(max(share, 0), 1)
	left, right := p.what+" [", fmt.Sprintf("] %3.0f %%  %s", share*100, note)
	room := max(p.width-len(left)-len(right)-1, 5)
	full := int(share * float64(room))
	text := left + strings.Repeat("=", full) + strings.Repeat(" ", room-full) + right
	return text[:min(len(text), p.width-1)]
}

// done removes the bar.
func (p *progress) done() {
	if p != nil {
		fmt.Fprintf(p.out, "\r%s\r", strings.Repeat(" ", p.width-1))
	}
}
