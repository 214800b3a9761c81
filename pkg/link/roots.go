package link

// Without ca, a broker may have a certificate of any public authority. A bare
// image has no file of them, so they are built in; the system's own are used
// where there are any.
import _ "golang.org/x/crypto/x509roots/fallback"
