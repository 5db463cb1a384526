import { Player } from "/player.js";
import { Voice } from "/voice.js";

const $ = (id) => document.getElementById(id);
const film = $("film"), still = $("still"), start = $("start"), stop = $("stop"), form = $("request");
const KEEP_ALIVE = 5000; // ms between messages that tell the server the page is still open
let about, talk = null;

// Status and errors ---------------------------------------------------------------------------------------------------

function say(text) {
  $("status").textContent = text;
}

function complain(text) {
  $("problem").textContent = text ?? "";
  $("problem").hidden = !text;
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

// The person ----------------------------------------------------------------------------------------------------------

function addPerson(id, name, address, first = false) {
  const label = document.createElement("label");
  label.className = "person";
  const radio = Object.assign(document.createElement("input"), { type: "radio", name: "person", value: id });
  const image = Object.assign(document.createElement("img"), { src: address, alt: "" });
  const caption = Object.assign(document.createElement("span"), { textContent: name });
  label.append(radio, image, caption);
  if (first) $("people").prepend(label);
  else $("people").append(label);
  return radio;
}

function choosePerson(radio) {
  radio.checked = true;
  showStill();
}

function chosen() {
  return form.querySelector("input[name=person]:checked");
}

function showStill() {
  const radio = chosen();
  if (!radio || talk) return;
  const image = radio.parentElement.querySelector("img");
  still.src = image.src;
  still.alt = `Picture of ${radio.parentElement.textContent}`;
  still.hidden = false;
  film.hidden = true;
  film.pause();
}

async function bringPicture(file) {
  complain();
  if (file.size > about.limits.picture_bytes) {
    complain(`${file.name} has ${megabytes(file.size)}; the limit is ${megabytes(about.limits.picture_bytes)}.`);
    return;
  }
  say("Looking for the person in your picture");
  start.disabled = true;
  try {
    const answer = await fetch("/people", { method: "POST", body: file });
    const result = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
    if (!answer.ok) throw new Error(result.error);
    choosePerson(addPerson(result.id, "Yours", URL.createObjectURL(file), true));
    say("Ready");
  } catch (error) {
    complain(sentence(error.message));
    say("That picture cannot be used");
  } finally {
    start.disabled = !chosen();
  }
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function sentence(text) {
  const whole = capital(text);
  return /[.?!]$/.test(whole) ? whole : `${whole}.`;
}

// The voice -----------------------------------------------------------------------------------------------------------

function kind() {
  return form.elements.voice.value;
}

function showVoice() {
  $("with-microphone").hidden = kind() !== "microphone";
  $("with-file").hidden = kind() !== "file";
}

function soundFile() {
  const file = $("sound").files[0];
  if (!file) throw new Error("Choose a sound file first.");
  if (file.size > about.limits.voice_bytes) {
    throw new Error(`${file.name} has ${megabytes(file.size)}; the limit is ${megabytes(about.limits.voice_bytes)}.`);
  }
  return file;
}

// A talk --------------------------------------------------------------------------------------------------------------

class Talk {
  async begin(person, name) {
    const live = kind() === "microphone";
    this.name = name;
    this.voice = live ? await Voice.fromMicrophone($("level")) : Voice.fromFile(soundFile());
    this.player = new Player(film, live);
    film.muted = live && !$("aloud").checked;
    this.live = live;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(`${scheme}//${location.host}/talk`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.send({ person, voice: kind(), rate: this.voice.rate });
    this.socket.onmessage = ({ data }) => (typeof data === "string" ? this.receive(JSON.parse(data)) : this.player.push(data));
    this.socket.onclose = () => this.over("The connection to the server was lost.", true);
    this.keepAlive = setInterval(() => this.send({ kind: "here" }), KEEP_ALIVE);
    say("Connecting");
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  async receive(message) {
    if (message.kind === "place") {
      say(message.place === 1 ? "Waiting: you are next" : `Waiting: place ${message.place} in line`);
    } else if (message.kind === "ready") {
      try {
        await this.player.open(message.mime);
        this.speak();
      } catch (error) {
        this.over(error.message, true);
      }
    } else {
      this.over(message.message, message.kind === "error");
    }
  }

  speak() {
    say(this.live ? `${this.name} says what you say` : `${this.name} begins`);
    this.asked = performance.now();
    film.requestVideoFrameCallback?.((now) => this.first(now));
    film.addEventListener("loadeddata", () => this.show(), { once: true });
    this.voice.start(this.socket, () => this.send({ kind: "end" }));
  }

  show() {
    film.hidden = false;
    film.controls = !this.live;
    still.hidden = true;
  }

  first(now) {
    const ms = Math.round(now - this.asked);
    $("figures").textContent = `First picture after ${(ms / 1000).toFixed(2)} s.`;
    $("figures").dataset.firstFrame = ms;
  }

  // Ends the voice; frames for what was said still arrive. A second call stops everything.
  finish() {
    this.voice.stop();
    if (this.live && this.asked && !this.finishing) {
      this.finishing = true;
      this.send({ kind: "end" });
      say("Generating the rest");
    } else {
      this.over();
    }
  }

  over(message = "", bad = false) {
    if (talk !== this) return;
    talk = null;
    clearInterval(this.keepAlive);
    this.voice.stop();
    this.socket.onclose = null;
    this.socket.close();
    this.player.finish();
    last = this;
    complain(bad ? sentence(message) : "");
    say(bad ? "Ended" : message || "Done");
    if (!film.hidden) film.controls = true;
    busy(false);
    if (film.hidden) showStill();
  }

  close() {
    this.player.close();
  }
}

let last = null; // the previous talk, whose video may still play

function busy(is) {
  start.hidden = is;
  stop.hidden = !is;
  $("who").disabled = $("kinds").disabled = is;
  (is ? stop : start).focus();
}

async function begin() {
  complain();
  $("figures").textContent = "";
  delete $("figures").dataset.firstFrame;
  last?.close();
  film.hidden = true;
  const radio = chosen();
  showStill();
  talk = new Talk();
  busy(true);
  try {
    await talk.begin(radio.value, radio.parentElement.textContent);
  } catch (error) {
    talk = null;
    busy(false);
    complain(sentence(error.message));
    say("Not started");
  }
}

// The page ------------------------------------------------------------------------------------------------------------

async function open() {
  const answer = await fetch("/about");
  if (!answer.ok) return location.reload();
  about = await answer.json();
  for (const { id, name } of about.people) addPerson(id, capital(name), `/people/${id}`);
  const radio = form.querySelector("input[name=person]");
  if (radio) choosePerson(radio);
  start.disabled = !radio;
  if (!navigator.mediaDevices?.getUserMedia) {
    form.elements.voice.value = "file";
    form.querySelector("input[value=microphone]").disabled = true;
    $("no-microphone").hidden = false;
  }
  showVoice();
  say(radio ? "Ready" : "Choose a picture");
}

start.disabled = true;
form.addEventListener("submit", (event) => { event.preventDefault(); begin(); });
stop.addEventListener("click", () => talk?.finish());
$("people").addEventListener("change", showStill);
$("voice").addEventListener("change", showVoice);
$("aloud").addEventListener("change", () => { film.muted = !$("aloud").checked; });
$("picture").addEventListener("change", ({ target }) => { if (target.files[0]) bringPicture(target.files[0]); target.value = ""; });
$("sound").addEventListener("change", ({ target }) => {
  const file = target.files[0];
  $("sound-name").textContent = file ? `${file.name}, ${megabytes(file.size)}` : "Any sound, or a video for its sound.";
});
open();
