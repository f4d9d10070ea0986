import { useEffect, useState } from 'preact/hooks';
import { Ask } from '../../components/ask';
import { useHandover } from '../../components/route';
import { useSpeech } from '../../i18n';
import { SHORTEST_PIN } from '../../worklist/vault';
import { useAppState } from '../state';

/** From the fifth wrong PIN on, each try waits: 10 s, 20 s, 40 s ... The count outlives a reload. */
const FREE_TRIES = 4;
const TRIES = 'pin-tries';

interface Tries {
  wrong: number;
  until: number;
}

function tries(): Tries {
  return { wrong: 0, until: 0, ...JSON.parse(localStorage.getItem(TRIES) ?? '{}') };
}

export function Unlock() {
  const { t, count } = useSpeech();
  const { worklist, redraw } = useAppState();
  const [pin, setPin] = useState('');
  const [said, setSaid] = useState('');
  const [busy, setBusy] = useState(false);
  /** How many readings go when the PIN is forgotten, once that was asked; `sure` after the first question. */
  const [forgotten, setForgotten] = useState<{ readings: number; sure: boolean } | null>(null);
  const [wait, setWait] = useState(() => Math.ceil((tries().until - Date.now()) / 1000));

  useHandover();
  useEffect(() => {
    if (wait <= 0) return;
    const clock = setTimeout(() => setWait(Math.ceil((tries().until - Date.now()) / 1000)), 1000);
    return () => clearTimeout(clock);
  }, [wait]);

  const unlock = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await worklist!.unlock(pin);
      localStorage.removeItem(TRIES);
      redraw();
    } catch {
      const wrong = tries().wrong + 1;
      const pause = wrong > FREE_TRIES ? 10 * 2 ** (wrong - FREE_TRIES - 1) : 0;
      localStorage.setItem(TRIES, JSON.stringify({ wrong, until: Date.now() + pause * 1000 }));
      setWait(pause);
      setPin('');
      setSaid(t.pin.wrong);
    } finally {
      setBusy(false);
    }
  };

  return (
    <>
      <h1>{t.pin.locked}</h1>
      <form onSubmit={unlock}>
        <PinField label={t.pin.enter} pin={pin} change={setPin} />
        <p role="alert">
          {said} {wait > 0 && t.pin.wait(count('seconds', wait))}
        </p>
        <button class="primary big" disabled={busy || wait > 0 || pin === ''}>
          {t.pin.unlock}
        </button>
      </form>
      <button
        class="quiet"
        onClick={() => void worklist!.count().then((readings) => setForgotten({ readings, sure: false }))}
      >
        {t.pin.forgotten}
      </button>
      {forgotten && (
        <Ask
          key={String(forgotten.sure)}
          question={t.pin[forgotten.sure ? 'forgottenSure' : 'forgottenConfirm'](count('readings', forgotten.readings))}
          yes={forgotten.sure ? t.worklist.deleteAll : t.pin.forgottenContinue}
          no={t.worklist.cancel}
          answer={(yes) => {
            setForgotten(yes && !forgotten.sure ? { ...forgotten, sure: true } : null);
            if (yes && forgotten.sure)
              void worklist!.startAgain().then(() => (localStorage.removeItem(TRIES), redraw()));
          }}
        />
      )}
    </>
  );
}

/** Set, change or remove the PIN. */
export function PinSettings() {
  const { t } = useSpeech();
  const { worklist, lock, redraw } = useAppState();
  const [first, setFirst] = useState('');
  const [second, setSecond] = useState('');
  const [open, setOpen] = useState(false);
  const [said, setSaid] = useState('');
  if (!worklist || !isSecureContext) return <p>{t.settings.insecure}</p>;
  if (worklist.locked) return <Unlock />;

  const set = async (event: Event) => {
    event.preventDefault();
    if (first.length < SHORTEST_PIN) return setSaid(t.pin.short);
    if (first !== second) return setSaid(t.pin.differ);
    await worklist.setPin(first);
    setOpen(false);
    setFirst('');
    setSecond('');
    setSaid('');
    redraw();
  };

  return (
    <>
      <p>{worklist.hasPin ? t.pin.on : t.pin.off}</p>
      {open ? (
        <form onSubmit={set}>
          <p class="small">{t.pin.hint}</p>
          <PinField label={t.pin.enter} pin={first} change={setFirst} fresh />
          <PinField label={t.pin.again} pin={second} change={setSecond} fresh />
          <p role="alert">{said}</p>
          <button class="primary">{worklist.hasPin ? t.pin.change : t.pin.set}</button>
        </form>
      ) : (
        <div class="row">
          <button onClick={() => setOpen(true)}>{worklist.hasPin ? t.pin.change : t.pin.set}</button>
          {worklist.hasPin && (
            <>
              <button onClick={lock}>{t.pin.lockNow}</button>
              <button onClick={() => void worklist.removePin().then(redraw)}>{t.pin.remove}</button>
            </>
          )}
        </div>
      )}
    </>
  );
}

interface PinFieldProps {
  label: string;
  pin: string;
  change: (pin: string) => void;
  /** A new PIN, not one to be remembered. */
  fresh?: boolean;
}

function PinField({ label, pin, change, fresh }: PinFieldProps) {
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="password"
        inputMode="numeric"
        autocomplete={fresh ? 'new-password' : 'off'}
        value={pin}
        onInput={(event) => change(event.currentTarget.value)}
      />
    </label>
  );
}
