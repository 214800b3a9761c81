package claim

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
)

// How long a server may make a device wait.
const (
	minRetry = 10 * time.Second
	maxRetry = 24 * time.Hour
)

// RetryError means that the server has not decided yet. The same request must be made again
// later (RFC 7030 4.2.3).
type RetryError struct {
	After time.Duration
	host  string
}

func (r *RetryError) Error() string {
	return fmt.Sprintf("The enrolment server %s has not decided about the camera yet.", r.host)
}

// Unwrap returns the Problem.
func (r *RetryError) Unwrap() error { return &Problem{Sentence: r.Error()} }

// status returns nil for an answer that should have certificates.
func (e *EST) status(answer *http.Response, op string) error {
	switch code := answer.StatusCode; {
	case code == http.StatusOK:
		return nil
	case code == http.StatusAccepted, code == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") != "":
		return &RetryError{After: retryAfter(answer.Header.Get("Retry-After"), time.Now()), host: e.base.Host}
	case code >= 300 && code < 400:
		return problem("The enrolment server %s redirects to another address, which the camera does not follow. Give its own address.", e.base.Host)
	case op == "simpleenroll" && (code == http.StatusUnauthorized || code == http.StatusForbidden):
		return problem("The enrolment server %s rejects the one-time password. Ask its operator for another one.", e.base.Host)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return problem("The enrolment server %s rejects the camera's certificate. Ask its operator.", e.base.Host)
	case code == http.StatusNotFound, code == http.StatusNoContent:
		return problem("There is no enrolment at %s. Check the address.", e.base.String())
	default:
		return problem("The enrolment server %s refuses the request (%d%s). See its log.", e.base.Host, code, remark(answer))
	}
}

// retryAfter reads the header (RFC 9110 10.2.3), within bounds.
func retryAfter(text string, now time.Time) time.Duration {
	after := time.Duration(0)
	if at, err := http.ParseTime(text); err == nil {
		after = at.Sub(now)
	} else if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		after = time.Duration(n) * time.Second
	}
	return min(max(after, minRetry), maxRetry)
}

// maxRemark bounds a server's text about a refusal, in bytes.
const maxRemark = 120

// remark returns the server's text, if it is plain text.
func remark(answer *http.Response) string {
	if kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); err != nil || kind != "text/plain" {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxRemark))
	if err != nil || len(text) == 0 {
		return ""
	}
	return ": " + foreign.Line(string(text))
}
