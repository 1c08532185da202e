"use strict";
// Runs of tokens are single elements; a run becomes one element a token when it is first looked at.
(() => {
  const tip = document.getElementById("tip");
  const parts = Object.fromEntries(
    ["position", "id", "text", "kind", "turn"].map((name) => [name, document.getElementById(name)]),
  );
  const kinds = { "t": "trained", "x": "context", "k": "control token", "z": "cut off" };
  let here = null;

  function split(run) {
    if (run.firstElementChild) return;
    const text = run.textContent;
    const ids = run.dataset.i.split(" ");
    const lengths = run.dataset.n.split(" ").map(Number);
    let at = 0;
    let position = Number(run.dataset.p);
    run.replaceChildren(...ids.map((id, n) => {
      const token = document.createElement("b");
      token.textContent = text.slice(at, at + lengths[n]);
      token.dataset.i = id;
      token.dataset.p = position;
      at += lengths[n];
      position += id.split("+").length;
      return token;
    }));
  }

  function kindOf(run) {
    const names = [..."kzxt"].filter((name) => run.classList.contains(name)).map((n) => kinds[n]);
    return names.join(", ");
  }

  function show(token) {
    if (here) here.classList.remove("here");
    here = token;
    token.classList.add("here");
    const run = token.parentElement;
    const box = token.closest(".text");
    const ids = token.dataset.i.split("+");
    const first = Number(token.dataset.p);
    const last = first + ids.length - 1;
    parts.position.textContent =
      (last > first ? `${first} to ${last}` : `${first}`) + ` of ${box.dataset.tokens}`;
    parts.id.textContent = ids.join(" ");
    parts.text.textContent = token.textContent || "(nothing)";
    parts.kind.textContent = kindOf(run);
    const turn = token.closest(".turn").dataset.w;
    parts.turn.textContent = turn || "";
    tip.hidden = false;
  }

  function hide() {
    if (here) here.classList.remove("here");
    here = null;
    tip.hidden = true;
  }

  function under(event) {
    const run = event.target.closest(".r");
    if (!run) return;
    split(run);
    const token = document.elementFromPoint(event.clientX, event.clientY);
    if (token && token.tagName === "B" && token.parentElement === run) show(token);
  }

  function first(run) { split(run); return run.firstElementChild; }
  function last(run) { split(run); return run.lastElementChild; }

  // the run before or after in the same conversation
  function neighbour(run, step) {
    const runs = [...run.closest(".text").querySelectorAll(".r")];
    return runs[runs.indexOf(run) + step];
  }

  function moved(box, key) {
    const runs = box.querySelectorAll(".r");
    if (!runs.length) return null;
    if (key === "Home") return first(runs[0]);
    if (key === "End") return last(runs[runs.length - 1]);
    if (!here || !box.contains(here)) return first(runs[0]);
    const run = here.parentElement;
    if (key === "ArrowRight" && here.nextElementSibling) return here.nextElementSibling;
    if (key === "ArrowLeft" && here.previousElementSibling) return here.previousElementSibling;
    const forward = key === "ArrowRight" || key === "ArrowDown";
    const next = neighbour(run, forward ? 1 : -1);
    if (!next) return here;
    return key === "ArrowLeft" ? last(next) : first(next);
  }

  const keys = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"]);
  document.addEventListener("pointerover", under);
  document.addEventListener("click", under);
  document.addEventListener("focusin", (event) => {
    const box = event.target.closest(".text");
    if (!box) { hide(); return; }
    if (box.matches(":focus-visible") && !(here && box.contains(here))) {
      const token = moved(box, "Home");
      if (token) show(token);
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { hide(); return; }
    if (event.ctrlKey || event.altKey || event.metaKey || !keys.has(event.key)) return;
    const box = event.target.closest(".text");
    if (!box) return;
    event.preventDefault();
    const token = moved(box, event.key);
    if (!token) return;
    show(token);
    token.scrollIntoView({ block: "nearest" });
  });
})();
