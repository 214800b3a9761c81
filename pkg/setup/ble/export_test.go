package ble

import "time"

func init() { againTime = 20 * time.Millisecond }
