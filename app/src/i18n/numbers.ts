/** Digits of Arabic (٠ to ٩) and Persian (۰ to ۹) keyboards as 0 to 9. */
export function plainDigits(text: string): string {
  return text.replace(/[٠-٩۰-۹]/g, (digit) => String((digit.charCodeAt(0) - 0x660) % 0x90));
}

/** A positive number as people write it, in any of these digits and with any of their decimal signs; else null. */
export function parseNumber(text: string): number | null {
  const plain = plainDigits(text.replace(/[\s\u200e\u200f\u061c]/g, ''));
  return /^(\d+[.,٫،]?\d*|[.,٫،]\d+)$/.test(plain) ? Number(plain.replace(/[,٫،]/, '.')) : null;
}
