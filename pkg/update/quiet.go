package update

import "time"

func (s *state) patience() time.Duration {
	if s.Offer != nil && s.Offer.Security {
		return patienceSecurity
	}
	return patience
}

// latest returns until when the household can postpone the update, and its hours count.
func (s *state) latest() time.Time { return time.Unix(s.Since, 0).Add(s.patience()) }

// disturbs reports whether a download or a restart would disturb someone now.
func (u *Updater) disturbs() bool {
	s := u.read()
	if s.Asked || time.Now().After(s.latest().Add(s.patience())) {
		return false
	}
	return u.deps.Household.Busy()
}

// waits reports whether the household has postponed the update.
func (s *state) waits() bool {
	now := time.Now()
	return !s.Asked && now.Before(time.Unix(s.Postponed, 0)) && now.Before(s.latest())
}

// quiet reports whether the camera may restart now.
func (u *Updater) quiet() bool {
	s := u.read()
	if s.waits() || u.disturbs() {
		return false
	}
	now := time.Now()
	return s.Asked || now.After(s.latest()) || u.deps.Household.Quiet()
}
