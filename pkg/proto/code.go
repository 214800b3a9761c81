package proto

// Code is the outcome of a request. A peer gets a code, never an error chain.
// docs/protocol.md 5.2.
type Code string

// The codes. CodeOK alone means that the request was carried out.
const (
	CodeOK              Code = "ok"
	CodeStale           Code = "stale"             // nonce or sequence number is out of date; the answer has a new nonce and the highest number
	CodeNotPaired       Code = "not_paired"        // the key is not a member's
	CodeScope           Code = "scope_missing"     // the member lacks the scope
	CodeBadRequest      Code = "bad_request"       // the body is not what the operation takes
	CodeUnknownOp       Code = "unknown_op"        // this version has no such operation
	CodeTooManySessions Code = "too_many_sessions" // the configured number of sessions is live
	CodeTooManyOwn      Code = "too_many_own"      // the member, or the member and its guests together, have as many sessions as one member may
	CodeNoSession       Code = "no_session"        // no such session of this client
	CodeNoMedia         Code = "no_media"          // the camera or the microphone gives nothing now
	CodeCodec           Code = "codec"             // the offer has no H.264 that can show the camera's picture
	CodeStorage         Code = "storage"           // the access log can't be written, so nothing starts
	CodeBusy            Code = "busy"              // the device can't take more requests now
	CodeWindowClosed    Code = "window_closed"     // pairing outside the window
	CodeOwned           Code = "owned"             // pairing of a new key with an owned device
	CodeInternal        Code = "internal"          // a fault of the device; its own log has the cause

	CodeSchedule       Code = "outside_schedule" // the member's weekly schedule, or its first day, says not now
	CodeExpired        Code = "expired"          // the member's grant has ended
	CodeRevoked        Code = "revoked"          // the member was removed
	CodeSuspended      Code = "suspended"        // guests are suspended: no owner has used the camera for 30 days
	CodePrivacy        Code = "privacy"          // privacy mode is on
	CodeClock          Code = "clock_unknown"    // the right depends on the time, and the device does not know the time
	CodeStateChanged   Code = "state_changed"    // the household changed since the client looked
	CodeLastOwner      Code = "last_owner"       // would leave the camera without an owner
	CodeNoMember       Code = "no_member"        // no such member
	CodeNameTaken      Code = "name_taken"       // another member has that name, or one that looks like it
	CodeBadName        Code = "bad_name"         // the name is misleading, or contains invisible characters
	CodeTooManyMembers Code = "too_many_members" // the camera can have no more members
	CodeTooManyGuests  Code = "too_many_guests"  // the member is not an owner and can add no more guests
	CodeHasGuests      Code = "has_guests"       // a guest can have no guests
	CodeAtDevice       Code = "at_device"        // only someone at the camera may do this
	CodeTimeZone       Code = "time_zone"        // the device has no such time zone
	CodeFixed          Code = "fixed"            // the configuration does not let the household choose this

	CodeNoLight     Code = "no_light"       // the light that shows that someone watches does not work
	CodeNoSpeaker   Code = "no_speaker"     // the speaker does not play, or nobody could hear it
	CodeNoChime     Code = "no_chime"       // the chime or the spoken announcement can't be played
	CodeTalking     Code = "someone_speaks" // somebody else speaks through the camera
	CodeQuiet       Code = "quiet_hours"    // the household's quiet hours
	CodeNotAccepted Code = "not_accepted"   // nobody in the room pressed the button in time
	CodeBlocked     Code = "blocked"        // someone at the device ended talk a moment ago
	CodeCancelled   Code = "cancelled"      // the client itself ended it before it began
	CodeNoEvent     Code = "no_event"       // no such event is kept

	CodeNoUpdate Code = "no_update" // there is no update that could be installed or put off
	CodePutOff   Code = "put_off"   // an update can't be put off for so long
	CodeUnderWay Code = "under_way" // an update that has begun can't be put off

	// These are about setting up a device. docs/protocol.md 3.11.
	CodeWiFiNotFound      Code = "wifi_not_found"     // the device does not receive this network
	CodeWiFiPassword      Code = "wifi_password"      // the network does not accept the password
	CodeWiFiSecurity      Code = "wifi_security"      // the network's security is of a kind that the device does not know, or is weaker than was asked for
	CodeWiFiRefused       Code = "wifi_refused"       // the device receives the network, but the network refuses it, whatever the password is
	CodeWiFiNoAddress     Code = "wifi_no_address"    // the network gives no address
	CodeWiFiOpen          Code = "wifi_open"          // the network is open, and the person has not confirmed that this is meant
	CodeNoWiFi            Code = "no_wifi"            // the device has no Wi-Fi
	CodeNoInternet        Code = "no_internet"        // the network has no connection to the internet
	CodeBrokerUnreachable Code = "broker_unreachable" // the broker does not answer
	CodeBrokerRefused     Code = "broker_refused"     // the broker does not accept the device
	CodeBrokerCertificate Code = "broker_certificate" // the broker's certificate does not match its name or its authority
	CodeClockWrong        Code = "clock_wrong"        // the device's clock is wrong, so certificates seem not to be valid
	CodeCertificate       Code = "certificate"        // the device's certificate for the broker is missing or does not fit
	CodeNotAllowed        Code = "not_allowed"        // only an owner changes how a device is set up
)

var sentences = map[Code]string{ //nolint:gosec // sentences about passwords
	CodeOK:              "Done.",
	CodeStale:           "This request is out of date. Try again.",
	CodeNotPaired:       "This key is not paired with the camera. Pair it at the camera first.",
	CodeScope:           "You have not been given the right to do this. Ask an owner of the camera.",
	CodeBadRequest:      "The camera did not understand the request. Update the app or camctl and try again.",
	CodeUnknownOp:       "This camera's software does not know that operation. Update the camera.",
	CodeTooManySessions: "The camera allows no more viewers at a time. Try again when one of them has stopped.",
	CodeTooManyOwn:      "You, or you and your guests together, are watching in as many places as one member may. Stop watching in one of them first.",
	CodeNoSession:       "That session has ended. Start a new one.",
	CodeNoMedia:         "The camera has no picture or sound to show now. Look at its status for the reason.",
	CodeCodec:           "This app or browser can't show the camera's kind of video (H.264). Use another one.",
	CodeStorage:         "The camera can't write its access log, so it shows nothing. Its storage may be full or failing.",
	CodeBusy:            "The camera is busy. Try again in a moment.",
	CodeWindowClosed:    "The pairing window is closed. Open it at the camera and try again.",
	CodeOwned:           "This camera has an owner. Ask the owner to add you.",
	CodeInternal:        "Something failed inside the camera. Its own log says what.",

	CodeSchedule:       "You may not do this at this time. Ask the person who added you for other times.",
	CodeExpired:        "Your access has expired. Ask the person who added you to extend it.",
	CodeRevoked:        "You have been removed from this camera's household. Ask an owner if that was a mistake.",
	CodeSuspended:      "No owner has used the camera for 30 days, so guests are suspended. Ask an owner to use the camera once.",
	CodePrivacy:        "Privacy mode is on: the camera sees and hears nothing until someone at the camera switches it off. In some households an owner may do that, too.",
	CodeClock:          "The camera does not know what time it is, and your access depends on it. It needs a time server that it can reach and, after a long pause, a request from an owner.",
	CodeStateChanged:   "Someone else has changed the household in the meantime. Look at its members and settings, then try again.",
	CodeLastOwner:      "This is the camera's last owner. Make someone else an owner first.",
	CodeNoMember:       "The camera has no such member.",
	CodeNameTaken:      "Another member already has this name, or one that looks like it. Choose another name.",
	CodeBadName:        "This name can't be used: it is too long, mixes scripts, contains invisible characters, or begins like a sentence of the camera's. Choose another one.",
	CodeTooManyMembers: "The camera can't have more members. Remove one first.",
	CodeTooManyGuests:  "You can't add more guests. Remove one of yours, or ask an owner to add this one.",
	CodeHasGuests:      "This member has guests, but a guest can't have guests. Remove them first.",
	CodeAtDevice:       "Only someone at the camera can do this.",
	CodeFixed:          "This is fixed in the camera's configuration, so the household can't change it.",

	CodeNoLight:     "The camera's live LED does not work, so it shows nothing.",
	CodeNoSpeaker:   "The camera's speaker does not work, or is muted, so nobody may speak through it. Look at its status for the reason.",
	CodeNoChime:     "The camera can't announce you, so you may not speak: its chime or its spoken prompts are missing.",
	CodeTalking:     "Someone else is speaking through the camera. Try again when they have stopped.",
	CodeQuiet:       "These are the household's quiet hours: nobody may speak through the camera now.",
	CodeNotAccepted: "Nobody in the room pressed the camera's button to let you speak. After three requests you have to wait for half an hour.",
	CodeBlocked:     "Someone at the camera ended the talk. Nobody may speak through it for ten minutes.",
	CodeCancelled:   "You ended this before it began. Start again if you still want it.",
	CodeNoEvent:     "The camera no longer has this event.",
	CodeNoUpdate:    "There is no update for the camera now.",
	CodeUnderWay:    "The update has already begun, so it can't be put off.",
	CodePutOff:      "An update can't be put off for so long: at most two weeks from when the camera found it, or two days if it closes a security hole.",

	CodeWiFiNotFound:      "The camera can't find that Wi-Fi network. Check its name, bring the camera closer, or say that the network is hidden.",
	CodeWiFiPassword:      "The Wi-Fi network does not accept this password. Type it again.",
	CodeWiFiSecurity:      "This Wi-Fi network does not use WPA2 or WPA3 with a password. Set the router to one of them, or choose another network.",
	CodeWiFiRefused:       "The Wi-Fi network does not accept the camera. Bring the camera closer, restart the router, and check whether it accepts only listed devices.",
	CodeWiFiNoAddress:     "The camera joined the Wi-Fi network but gets no address there. Check the router, or restart it.",
	CodeWiFiOpen:          "This Wi-Fi network is open: everyone near it can join it. Say that you want it, or choose another one.",
	CodeNoWiFi:            "This camera has no Wi-Fi, or it does not work. Connect the camera by cable.",
	CodeNoInternet:        "The camera joined the network, but can't reach the internet there. Check the router.",
	CodeBrokerUnreachable: "The broker does not answer the camera. Check its address and port, and whether it is running.",
	CodeBrokerRefused:     "The broker does not accept the camera. Check the broker's log and its list of devices.",
	CodeBrokerCertificate: "The broker's certificate does not match its name or its authority. Check both.",
	CodeClockWrong:        "The camera's clock is wrong, so it can't check certificates. It needs a time server that it can reach.",
	CodeCertificate:       "The camera has no certificate that fits this broker. Have its request signed by the broker's authority.",
	CodeNotAllowed:        "Only an owner of the camera may change how it is set up. Ask an owner.",

	CodeTimeZone: "The camera does not know that time zone. Use a name such as Europe/Berlin or America/New_York.",
}

// Sentence returns a sentence for a person: what happened, and what to do.
func (c Code) Sentence() string {
	if s, ok := sentences[c]; ok {
		return s
	}
	return "The camera answered with a code that this program does not know: " + string(c) + ". Update it."
}

// Refusal is an error whose code the peer gets: handlers return one to choose the
// code of the answer. Any other error becomes CodeInternal.
type Refusal struct{ Code Code }

func (r *Refusal) Error() string { return r.Code.Sentence() }

// Refuse returns a *Refusal with the code.
func Refuse(c Code) error { return &Refusal{Code: c} }
