/** By which bytes a DICOM file is known, before the parser is loaded. */

/** A DICOM file; old devices leave out the preamble and begin with a tag of group 2 or 8. */
export function isDicom(head: Uint8Array): boolean {
  if (String.fromCharCode(...head.subarray(128, 132)) === 'DICM') return true;
  if (head.length < 8 || head[1] !== 0 || (head[0] !== 2 && head[0] !== 8)) return false;
  return explicitVr(head) || (head[6] === 0 && head[7] === 0);
}

/** Whether the element that begins at `at` names its value representation in two capital letters. */
export function explicitVr(bytes: Uint8Array, at = 0): boolean {
  return [bytes[at + 4], bytes[at + 5]].every((letter) => letter >= 65 && letter <= 90);
}
