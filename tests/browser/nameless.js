// What a screen reader would meet without a name.
const met = document.querySelectorAll("a, button, input:not([type=hidden]), [role=img], svg");
const named = (one) => one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.length;
const hidden = (one) => one.closest("[aria-hidden=true], [role=img]");
return [...met].filter((one) => !named(one) && !hidden(one)).map((one) => one.outerHTML.slice(0, 80));
