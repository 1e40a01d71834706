// Texts that stand out less than WCAG's AA asks for (4.5 to 1).
const channel = (c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const rgb = (text) => text.match(/[\d.]+/g).map(Number);
const ground = (element) => {
  for (; element; element = element.parentElement) {
    const colour = rgb(getComputedStyle(element).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const says = (element) => [...element.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
const bad = [];
for (const element of document.querySelectorAll("body *")) {
  const shown = element.getClientRects().length && !["STYLE", "SCRIPT"].includes(element.tagName);
  if (!shown || !says(element)) continue;
  const pair = [light(rgb(getComputedStyle(element).color)), light(ground(element))];
  const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  if (ratio < 4.5) bad.push(`${element.tagName}: ${element.textContent.trim().slice(0, 40)}`);
}
return bad;
