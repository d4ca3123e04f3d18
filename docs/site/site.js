// The button that copies a block of a terminal copies its commands alone, without the prompt and what they print.
document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest(".md-clipboard, .md-code__button") : null;
  const block = button?.closest(".language-console")?.querySelector("code");
  if (!block || !navigator.clipboard) return;
  const lines = block.textContent.split("\n");
  const commands = [];
  let goesOn = false;
  for (const line of lines) {
    if (goesOn || line.startsWith("$ ")) {
      commands.push(goesOn ? line : line.slice(2));
      goesOn = line.endsWith("\\");
    }
  }
  event.stopImmediatePropagation();
  event.preventDefault();
  navigator.clipboard.writeText(commands.join("\n"));
}, true);
