// Sends the voice to the server: chunks of the microphone, or a file.

const PIECE = 65536; // bytes of a file per message

export class Voice {
  // Asks for the microphone. meter: element that shows the level.
  static async fromMicrophone(meter) {
    const wish = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: wish });
    } catch (error) {
      const why = { NotAllowedError: "access was denied", NotFoundError: "there is none" }[error.name] ?? error.message;
      throw new Error(`The microphone cannot be used: ${why}. A sound file works without it.`);
    }
    const context = new AudioContext();
    await context.audioWorklet.addModule("/microphone.js");
    const node = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0 });
    const source = context.createMediaStreamSource(stream);
    const voice = new Voice(context.sampleRate);
    voice.stop = () => {
      node.port.onmessage = null;
      for (const track of stream.getTracks()) track.stop();
      if (context.state !== "closed") context.close();
      meter.value = 0;
    };
    voice.start = (socket) => {
      context.resume();
      source.connect(node); // only now, so that speech while waiting is not sent
      node.port.onmessage = ({ data }) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(data);
        const loudest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 32768;
        meter.value = Math.max(loudest, meter.value * 0.9);
      };
    };
    return voice;
  }

  static fromFile(file) {
    const voice = new Voice(48000);
    voice.start = async (socket, done) => {
      for (let place = 0; place < file.size && socket.readyState === WebSocket.OPEN; place += PIECE) {
        while (socket.bufferedAmount > 16 * PIECE) await new Promise((go) => setTimeout(go, 20));
        socket.send(await file.slice(place, place + PIECE).arrayBuffer());
      }
      done();
    };
    voice.stop = () => {};
    return voice;
  }

  constructor(rate) {
    this.rate = rate;
  }
}
