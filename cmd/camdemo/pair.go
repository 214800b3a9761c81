package main

import (
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/camd-project/camd/pkg/client"
)

const (
	pairingWindow  = time.Minute
	pairingMessage = 16384 // bytes; docs/protocol.md 3.4.1
	pairingWrite   = 5 * time.Second
	firstOwner     = "Anna" // what the household calls who pairs
)

// pair carries the pairing of a page to the camera's own socket, message by message, as a phone's
// Bluetooth does at a camera. It presses the camera's pairing button, too.
func (s *server) pair(w http.ResponseWriter, r *http.Request) {
	select {
	case s.pairing <- struct{}{}:
		defer func() { <-s.pairing }()
	default:
		refuse(w, http.StatusServiceUnavailable, "Somebody else is pairing with this camera. Try again in a minute.")
		return
	}
	ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer func() { _ = ws.Close() }() // the browser may have closed it
	ws.SetReadLimit(pairingMessage)
	if err := client.OpenWindow(r.Context(), s.demo.socket(), pairingWindow, firstOwner); err != nil {
		s.demo.env.Note("The camera does not open its pairing window: %v.", err)
		return
	}
	camera, err := client.Join(r.Context(), s.demo.socket())
	if err != nil {
		s.demo.env.Note("The camera does not pair: %v.", err)
		return
	}
	sent := make(chan struct{})
	go func() { defer close(sent); toCamera(ws, camera) }()
	toPage(ws, camera)
	_ = ws.NetConn().Close() // ends toCamera
	<-sent
}

// toCamera ends when the page has gone, and tells the camera.
func toCamera(ws *websocket.Conn, camera *client.Joining) {
	defer func() { _ = camera.Close() }() // the camera may have closed it
	for {
		_, message, err := ws.ReadMessage()
		if err != nil || camera.WriteMessage(message) != nil {
			return
		}
	}
}

// toPage ends when the camera has, and says goodbye to the page.
func toPage(ws *websocket.Conn, camera *client.Joining) {
	for {
		message, err := camera.ReadMessage()
		deadline := time.Now().Add(pairingWrite)
		if err != nil {
			_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), deadline)
			return
		}
		if ws.SetWriteDeadline(deadline) != nil || ws.WriteMessage(websocket.BinaryMessage, message) != nil {
			return
		}
	}
}
