// The session's photos as a row of thumbnails: a radio group that scrolls sideways.

// Whether a reload would lose photos: it would on pages without a strip as well.
let atStake = false;
window.addEventListener("beforeunload", (event) => atStake && event.preventDefault());

/** @param {{data: {photos: {id: string, name: string, src: string}[], selected: string|null, kept: boolean}}} component */
export default function (component) {
  const { data, parentElement, setTriggerValue: tell } = component;
  atStake = data.photos.length > 0 && !data.kept;
  let strip = parentElement.querySelector(".strip");
  if (!strip) {
    strip = document.createElement("div");
    strip.className = "strip";
    strip.setAttribute("role", "radiogroup");
    strip.setAttribute("aria-label", "Photos of this session");
    parentElement.append(strip);
  }
  strip.hidden = data.photos.length === 0;
  strip.replaceChildren(...data.photos.map((photo) => thumbnail(photo, data.selected, tell)));
  strip.onkeydown = (event) => step(strip, event);
  strip.querySelector("[aria-checked=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function thumbnail({ id, name, src }, selected, tell) {
  const tile = document.createElement("div");
  tile.className = "tile";
  const button = document.createElement("button");
  const chosen = id === selected;
  button.type = "button";
  button.title = name;
  button.setAttribute("role", "radio");
  button.setAttribute("aria-checked", String(chosen));
  button.setAttribute("aria-label", name);
  button.tabIndex = chosen ? 0 : -1;
  const image = document.createElement("img");
  image.src = src;
  image.alt = "";
  button.append(image);
  button.onclick = () => chosen || tell("show", id);
  tile.append(button, ...(chosen ? [removal(id, name, tell)] : []));
  return tile;
}

function removal(id, name, tell) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "remove";
  button.textContent = "\u00d7";
  button.title = `Remove ${name}`;
  button.setAttribute("aria-label", button.title);
  button.onclick = () => tell("remove", id);
  return button;
}

// As in any radio group, the arrow keys move and Enter or Space chooses.
function step(strip, event) {
  const direction = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!direction) return;
  event.preventDefault();
  const buttons = [...strip.querySelectorAll("[role=radio]")];
  const from = buttons.indexOf(event.target);
  buttons[(from + direction + buttons.length) % buttons.length]?.focus();
}
