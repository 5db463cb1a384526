// Plays a video while it is made: fragments of one MP4 with both tracks, so that the browser keeps them in sync.

const LEAD = 0.2;              // seconds buffered before playback starts; doubled after each underrun
const MAX_LEAD = { true: 0.8, false: 2 }; // live; not live
const LATE = 0.3, HASTE = 0.3; // live: with LATE more buffered, play faster, by HASTE at most
const TOO_LATE = 4;            // live: with TOO_LATE more buffered, skip
const CALM = 10;               // seconds without an underrun after which the lead is halved; doubled after each underrun

export class Player {
  constructor(video, live) {
    this.video = video;
    this.live = live;
    this.waiting = [];
    this.lead = LEAD;
    this.calm = CALM / 2;
    this.since = 0;
    this.ended = this.closed = false;
    this.stalled = () => this.wait();
  }

  async open(mime) {
    const Source = window.ManagedMediaSource ?? window.MediaSource;
    if (!Source?.isTypeSupported(mime)) throw new Error(`this browser cannot play ${mime}`);
    this.source = new Source();
    this.video.disableRemotePlayback = true; // ManagedMediaSource asks for it
    this.address = URL.createObjectURL(this.source);
    this.video.src = this.address;
    this.video.playbackRate = 1;
    this.video.addEventListener("waiting", this.stalled);
    await new Promise((done) => this.source.addEventListener("sourceopen", done, { once: true }));
    this.buffer = this.source.addSourceBuffer(mime);
    this.buffer.addEventListener("updateend", () => this.feed());
    this.feed();
  }

  push(piece) {
    this.waiting.push(piece);
    this.feed();
  }

  // Marks the end of the stream.
  finish() {
    this.ended = true;
    this.feed();
  }

  close() {
    this.closed = true;
    this.video.removeEventListener("waiting", this.stalled);
    if (this.address) URL.revokeObjectURL(this.address);
  }

  feed() {
    if (this.closed || !this.buffer || this.buffer.updating || this.source.readyState !== "open") return;
    this.play();
    if (this.waiting.length) this.append();
    else if (this.ended) {
      this.source.endOfStream();
      this.play();
    }
  }

  append() {
    const pieces = this.waiting;
    this.waiting = [];
    const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
    let place = 0;
    for (const piece of pieces) {
      whole.set(new Uint8Array(piece), place);
      place += piece.byteLength;
    }
    try {
      this.buffer.appendBuffer(whole);
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
      this.waiting = [whole.buffer]; // drop what was played long ago, and try again
      this.buffer.remove(0, Math.max(0.1, this.video.currentTime - 10));
    }
  }

  // Returns the seconds that are buffered beyond the present position.
  inHand() {
    const { buffered, currentTime } = this.video;
    return buffered.length ? buffered.end(buffered.length - 1) - Math.max(currentTime, buffered.start(0)) : 0;
  }

  play() {
    const enough = this.inHand() >= this.lead || (this.source.readyState === "ended" && this.inHand() > 0);
    if (this.video.paused && !this.began && enough) {
      this.began = true;
      this.video.play().catch(() => { this.video.controls = true; });
    }
    if (this.live && this.began) {
      this.relax();
      const spare = this.ended ? 0 : this.inHand() - this.lead;
      this.video.playbackRate = spare > LATE ? 1 + Math.min(spare / 3, HASTE) : 1;
      if (spare > TOO_LATE) {
        this.video.currentTime += spare;
        this.since += spare;
      }
    }
  }

  // Handles an underrun: generating is slower than playing, so buffer more before playback goes on.
  wait() {
    if (!this.began || this.ended || this.closed || this.video.paused) return;
    if (this.inHand() >= LEAD / 2) return; // no underrun: the browser is still decoding
    this.lead = Math.min(this.lead * 2, MAX_LEAD[this.live]);
    this.calm *= 2;
    this.since = this.video.currentTime;
    this.began = false;
    this.video.pause();
  }

  // Halves the lead after a while without an underrun, to lower the delay.
  relax() {
    if (this.lead <= LEAD || this.video.currentTime - this.since < this.calm) return;
    this.lead /= 2;
    this.since = this.video.currentTime;
  }
}
