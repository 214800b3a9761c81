package ble

import "time"

func init() { findTime, awakePause = 5*time.Second, 50*time.Millisecond }
