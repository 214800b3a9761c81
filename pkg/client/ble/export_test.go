package ble

import "time"

func init() { findTime = 5 * time.Second }
