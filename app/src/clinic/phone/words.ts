import { useSpeech } from '../../i18n';

const en = {
  title: 'Clinic server',
  ask: 'Send the worklist of this phone to the clinic server? Pictures, patient codes, verdicts and notes are sent whenever this phone is in its network, signed with the name of the person who showed the QR code.',
  name: 'Name of this phone',
  pair: 'Pair and send',
  paired: (site: string, user: string) => `Paired with ${site}, for ${user}.`,
  private: (site: string) => `Films go to ${site} and nowhere else.`,
  sent: (done: string, all: string) => `${done} of ${all} readings have been sent.`,
  waiting: 'The server cannot be reached now. The rest is sent once it can.',
  locked: 'The worklist is locked: it is sent once it is unlocked.',
  ended: 'The server no longer knows this phone. Pair it again with a new QR code.',
  invitation: 'The QR code has been used or has expired. Show a new one.',
  network: 'The server cannot be reached. Is the phone in the clinic’s network?',
  now: 'Send now',
  part: 'Unpair from the server',
  none: 'Not paired. The page "Phones" of the clinic server shows a QR code.',
};

const ar: typeof en = {
  title: 'خادم العيادة',
  ask: 'هل تُرسَل قائمة عمل هذا الهاتف إلى خادم العيادة؟ تذهب إليه الصور ورموز المرضى والآراء والملاحظات كلما كان الهاتف في شبكته، موقّعة باسم من عرض رمز QR.',
  name: 'اسم هذا الهاتف',
  pair: 'اربط وأرسل',
  paired: (site, user) => `مربوط مع ${site} باسم ${user}.`,
  private: (site) => `تذهب الصور إلى ${site} ولا إلى أي مكان آخر.`,
  sent: (done, all) => `القراءات التي وصلت: ${done} من أصل ${all}.`,
  waiting: 'لا يمكن الوصول إلى الخادم الآن. سيُرسل الباقي عندما يعود الاتصال.',
  locked: 'قائمة العمل مقفلة: تُرسل بعد فتح القفل.',
  ended: 'لم يعد الخادم يعرف هذا الهاتف. اربطه من جديد برمز QR جديد.',
  invitation: 'رمز QR مستعمل أو انتهت صلاحيته. اعرض رمزًا جديدًا.',
  network: 'لا يمكن الوصول إلى الخادم. هل الهاتف في شبكة العيادة؟',
  now: 'أرسل الآن',
  part: 'ألغِ الربط بالخادم',
  none: 'غير مربوط. تعرض صفحة «الهواتف» على خادم العيادة رمز QR.',
};

export function useLinkWords() {
  const speech = useSpeech();
  return { ...speech, w: { en, ar }[speech.language] };
}
