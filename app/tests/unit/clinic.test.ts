import { expect, test } from 'vitest';
import { nameOf } from '../../src/clinic/identity';
import { suggestedNumber } from '../../src/clinic/screens/upload';
import { latin } from '../../src/clinic/words';

test('a name is shown in the script of the screen where it came in both', () => {
  const both = 'Idris^Mona=^=إدريس^منى';
  expect(nameOf(both, 'en')).toBe('Idris Mona');
  expect(nameOf(both, 'ar')).toBe('إدريس منى');
  expect(nameOf('Idris^Mona^^^', 'ar')).toBe('Idris Mona');
  expect(nameOf('', 'en')).toBe('');
});

test('a number is suggested from a file name, and never a UID', () => {
  expect(suggestedNumber('P-1047_chest PA.png')).toBe('P-1047');
  expect(suggestedNumber('Mona 2211.jpg')).toBe('2211');
  expect(suggestedNumber('1.2.840.10008.5.1.dcm')).toBe('');
  expect(suggestedNumber('chest.png')).toBe('');
});

test('digits of the Arabic keyboard are digits', () => {
  expect(latin('٠١٢٣٤٥٦٧٨٩ a1')).toBe('0123456789 a1');
});
