// Recording what is seen and heard. Until it ends, this browser keeps it in memory.

/** largest is how much a recording may be, in bytes. */
export const largest = 500e6;

const kinds = ['video/mp4;codecs="avc1.42E01F,mp4a.40.2"', 'video/mp4', 'video/webm;codecs="h264,opus"', 'video/webm'];

/**
 * record begins to record a stream. done is called with what was recorded, once it has ended, and
 * whether it ended because it was as large as it may be.
 * @param {MediaStream} stream
 * @param {(file: Blob, full: boolean) => void} done
 * @returns {{stop: () => void} | undefined} undefined: this browser can't record
 */
export function record(stream, done) {
  const kind = kinds.find((k) => globalThis.MediaRecorder?.isTypeSupported(k));
  if (!kind) return undefined;
  const recorder = new MediaRecorder(stream, { mimeType: kind });
  const stop = () => { if (recorder.state !== 'inactive') recorder.stop(); };
  const parts = [];
  let size = 0;
  recorder.addEventListener('dataavailable', ({ data }) => {
    parts.push(data);
    size += data.size;
    if (size >= largest) stop();
  });
  recorder.addEventListener('stop', () => done(new Blob(parts, { type: kind }), size >= largest)); // it may end by itself, with the picture
  recorder.start(1000);
  return { stop };
}
