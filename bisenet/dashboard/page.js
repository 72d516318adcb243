// What the page does by itself: on a phone the sidebar makes way for the page that was chosen in it,
// and photos dropped anywhere on Explore go to the tile that takes them.

const PHONE = "(max-width: 768px)";
const MARK = "__bisenetPage";

export default function (component) {
  // Mounted anew with every page; the document is the same.
  if (window[MARK]) return;
  window[MARK] = true;
  document.addEventListener("click", closeSidebar);
  for (const name of ["dragover", "dragleave", "drop"]) document.addEventListener(name, dropped);
}

function closeSidebar({ target }) {
  if (!target.closest?.('[data-testid="stSidebarNavLink"]') || !matchMedia(PHONE).matches) return;
  // After the page has changed, which keeps the sidebar as it is.
  setTimeout(() => {
    document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
  }, 0);
}

function dropped(event) {
  const tile = document.querySelector(".st-key-add-photos");
  const input = tile?.querySelector("input[type=file]");
  const files = event.dataTransfer?.types?.includes("Files");
  if (!input || !files || event.target.closest?.('[data-testid="stFileUploaderDropzone"]')) return;
  tile.classList.toggle("dropping", event.type === "dragover");
  if (event.type === "dragleave") return;
  event.preventDefault(); // a browser would leave the app and show the photo
  if (event.type !== "drop") return;
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}
