// Plays a film while it is made: pieces of MP4, both tracks in one, so that the browser keeps them in step.

const LEAD = 0.2;             // seconds in hand before it plays; twice as many after each time that it ran dry
const MOST_LEAD = { true: 0.8, false: 2 };     // live, and not
const LATE = 0.3, HASTE = 0.3; // live: with so much more in hand it hurries, the more the faster, by HASTE at most
const TOO_LATE = 4;            // and with so much more it skips
const CALM = 10;               // after so long without running dry it halves the lead; twice as long after each time

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

  // Nothing follows.
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
      this.waiting = [whole.buffer]; // what was seen long ago makes room
      this.buffer.remove(0, Math.max(0.1, this.video.currentTime - 10));
    }
  }

  // Seconds that can be played on from here.
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

  // It ran dry: drawing is slower than playing, so let more gather, and a little more each time.
  wait() {
    if (!this.began || this.ended || this.closed || this.video.paused) return;
    if (this.inHand() >= LEAD / 2) return; // not dry: the browser has yet to decode what has just come
    this.lead = Math.min(this.lead * 2, MOST_LEAD[this.live]);
    this.calm *= 2;
    this.since = this.video.currentTime;
    this.began = false;
    this.video.pause();
  }

  // What made it run dry has passed: less in hand will do, so that what is said is seen sooner.
  relax() {
    if (this.lead <= LEAD || this.video.currentTime - this.since < this.calm) return;
    this.lead /= 2;
    this.since = this.video.currentTime;
  }
}
