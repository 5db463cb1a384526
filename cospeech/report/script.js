"use strict";

// Tables: a click on a heading (or Enter on it) sorts by it.
document.querySelectorAll("th[data-sort]").forEach(heading => {
  heading.tabIndex = 0;
  heading.addEventListener("click", () => sortBy(heading));
  heading.addEventListener("keydown", event => { if (event.key === "Enter") sortBy(heading); });
});

function sortBy(heading) {
  const row = heading.parentNode, body = heading.closest("table").tBodies[0];
  const index = [...row.children].indexOf(heading), numeric = heading.dataset.sort === "number";
  const up = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of row.children) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const value = line => {
    const cell = line.children[index];
    return numeric ? parseFloat(cell.dataset.value) : cell.textContent.trim();
  };
  [...body.rows].sort((a, b) => {
    const x = value(a), y = value(b);
    if (numeric && (isNaN(x) || isNaN(y))) return isNaN(x) - isNaN(y);  // what was not measured comes last either way
    const order = numeric ? x - y : x.localeCompare(y);
    return up ? order : -order;
  }).forEach(line => body.appendChild(line));
}

// Videos of a group play, pause and seek as one; the first leads, and the others are put right where they drift.
function inStep(videos, frame) {
  const lead = videos[0], others = videos.slice(1);
  const follow = () => {
    for (const video of others) {
      if (Math.abs(video.currentTime - lead.currentTime) > frame) video.currentTime = lead.currentTime;
    }
    if (!lead.paused) requestAnimationFrame(follow);
  };
  lead.addEventListener("play", () => { others.forEach(video => video.play()); requestAnimationFrame(follow); });
  lead.addEventListener("pause", () => { others.forEach(video => video.pause()); });
  lead.addEventListener("seeked", () => { others.forEach(video => { video.currentTime = lead.currentTime; }); });
  lead.addEventListener("ratechange", () => { others.forEach(video => { video.playbackRate = lead.playbackRate; }); });
}

const frame = 1 / Number(document.body.dataset.fps);
document.querySelectorAll(".pair").forEach(pair => inStep([...pair.querySelectorAll("video")], frame));

const stretches = [...document.querySelectorAll("video.stretch")];
if (stretches.length) {
  const lead = stretches[0], play = document.getElementById("play-all"), slow = document.getElementById("slow");
  inStep(stretches, frame);
  const step = frames => {
    lead.pause();
    lead.currentTime = Math.min(Math.max(lead.currentTime + frames * frame, 0), lead.duration - frame / 2);
  };
  play.addEventListener("click", () => { if (lead.paused) lead.play(); else lead.pause(); });
  slow.addEventListener("click", () => {
    lead.playbackRate = lead.playbackRate === 1 ? 0.25 : 1;
    slow.setAttribute("aria-pressed", lead.playbackRate !== 1);
  });
  document.getElementById("back").addEventListener("click", () => step(-1));
  document.getElementById("on").addEventListener("click", () => step(1));
}
