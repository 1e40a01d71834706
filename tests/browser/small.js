// What a finger would miss.
const touched = document.querySelectorAll("a, button, input:not([type=hidden])");
const boxes = [...touched].map((one) => one.getBoundingClientRect());
return boxes.filter((box) => box.height < 44 || box.width < 44).length;
