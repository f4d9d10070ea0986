import { useSpeech } from '../../i18n';

const en = {
  title: 'Clinic’s server',
  ask: 'Send the worklist of this phone to the server of the clinic? Pictures, patient codes, verdicts and notes go there whenever this phone is in its network, signed with the name of whoever showed the QR code.',
  name: 'Name of this phone',
  pair: 'Pair and send',
  paired: (site: string, user: string) => `Paired with ${site}, for ${user}.`,
  private: (site: string) => `Films go to ${site} and nowhere else.`,
  sent: (done: string, all: string) => `${done} of ${all} readings are there.`,
  waiting: 'The server cannot be reached now. What is missing is sent when it can.',
  locked: 'The worklist is locked: it is sent when it was unlocked.',
  ended: 'The server does not know this phone any more. Pair it again with a new QR code.',
  invitation: 'The QR code is used up or too old. Show a new one.',
  network: 'The server cannot be reached. Is the phone in the clinic’s network?',
  now: 'Send now',
  part: 'Part from the server',
  none: 'Not paired. On a page of the clinic’s server, "Phones" shows a QR code.',
};

const ar: typeof en = {
  title: 'خادم العيادة',
  ask: 'هل تُرسَل قائمة عمل هذا الهاتف إلى خادم العيادة؟ تذهب إليه الصور ورموز المرضى والآراء والملاحظات كلما كان الهاتف في شبكته، موقّعة باسم من عرض رمز QR.',
  name: 'اسم هذا الهاتف',
  pair: 'اربط وأرسل',
  paired: (site, user) => `مربوط مع ${site} باسم ${user}.`,
  private: (site) => `تذهب الصور إلى ${site} ولا إلى أي مكان آخر.`,
  sent: (done, all) => `القراءات التي وصلت: ${done} من أصل ${all}.`,
  waiting: 'لا يمكن الوصول إلى الخادم الآن. يُرسل الباقي حين يمكن ذلك.',
  locked: 'قائمة العمل مقفلة: تُرسل بعد فتحها.',
  ended: 'لم يعد الخادم يعرف هذا الهاتف. اربطه من جديد برمز QR جديد.',
  invitation: 'رمز QR مستعمل أو قديم. اعرض رمزًا جديدًا.',
  network: 'لا يمكن الوصول إلى الخادم. هل الهاتف في شبكة العيادة؟',
  now: 'أرسل الآن',
  part: 'افصل عن الخادم',
  none: 'غير مربوط. تعرض صفحة «الهواتف» على خادم العيادة رمز QR.',
};

export function useLinkWords() {
  const speech = useSpeech();
  return { ...speech, w: { en, ar }[speech.language] };
}
