package pki

import (
	"fmt"
	"strings"

	"github.com/camd-project/camd/pkg/proto"
)

// StatusRule returns the lines of mosquitto's acl_file for viewers that let a member read the
// status of a device.
func StatusRule(id proto.ClientID, device proto.DeviceID) string {
	return fmt.Sprintf("\n%s\ntopic read %s\n", userLine(id), proto.TopicStatus(device))
}

func userLine(id proto.ClientID) string { return "user " + string(id) }

// withoutRules removes all lines of a member: from its name to the next one.
func withoutRules(rules string, id proto.ClientID) string {
	var kept strings.Builder
	gone := false
	for line := range strings.Lines(rules) {
		if text := strings.TrimSpace(line); strings.HasPrefix(text, "user ") {
			gone = text == userLine(id)
		} else if gone && !strings.HasPrefix(text, "topic ") {
			gone = text == "" // what stands below and is no rule of the member's stays
		}
		if !gone {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
