package ble

import "time"

func init() { againTime, lookTime = 20*time.Millisecond, 20*time.Millisecond }
