// The TURN servers of a session. Their addresses come from others.

/**
 * peerConnection makes a connection. A browser makes none with an address that it can't read, or
 * of a kind that it does not know: then those are left out, and the others used.
 * @param {RTCConfiguration} config
 * @returns {RTCPeerConnection}
 */
export function peerConnection(config) {
  try {
    return new RTCPeerConnection(config);
  } catch {
    return new RTCPeerConnection({ ...config, iceServers: config.iceServers.map(usable).filter(({ urls }) => urls.length > 0) });
  }
}

const usable = (server) => ({ ...server, urls: [server.urls].flat().filter((url) => accepted({ ...server, urls: [url] })) });

function accepted(server) {
  try {
    new RTCPeerConnection({ iceServers: [server] }).close();
    return true;
  } catch {
    return false;
  }
}
