package accesslog

import (
	"strings"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// updated says a step of the camera's own update.
func (e Entry) updated(loc *time.Location) string {
	because := ""
	if e.Reason != "" {
		because = ": " + e.Reason
	}
	switch e.Step {
	case proto.StepAvailable:
		return "The camera found " + e.release() + ", and will install it" + because + "."
	case proto.StepInstalling:
		return "The camera installs " + e.release() + because + "."
	case proto.StepInstalled:
		return "The camera installed " + e.release() + ", and will run it from its next start" + because + "."
	case proto.StepRestarting:
		return "The camera restarts into " + e.release() + because + "."
	case proto.StepConfirmed:
		return "The camera runs " + e.release() + ", which has proved itself" + because + "."
	case proto.StepFailed:
		return "The update to " + e.release() + " failed" + because + "."
	case proto.StepUndecided:
		return "The camera could not tell whether " + e.release() + " works, and will try it again" + because + "."
	case proto.StepRefused:
		return "The camera refused " + e.release() + because + "."
	case proto.StepFork:
		return "ALARM: the camera was shown a log of releases that contradicts the one which it has seen, so it installs nothing" + because + "."
	case proto.StepAsked:
		return e.who() + " asked for " + e.release() + " at once."
	case proto.StepPostponed:
		if e.Until == 0 {
			return e.who() + " lets the camera update itself again."
		}
		return e.who() + " put off " + e.release() + " until " + moment(e.Until, loc) + "."
	}
	return e.who() + " did something about an update that this program does not know: " + quoted(string(e.Step)) + "."
}

// release names the release that an entry is about.
func (e Entry) release() string {
	switch {
	case e.Release == "":
		return "an update"
	case strings.Trim(e.Release, "0123456789.") == "":
		return "version " + e.Release
	}
	return "version " + quoted(e.Release)
}
