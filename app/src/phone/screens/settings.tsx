import { LinkSettings } from '../../clinic/phone/screen';
import { useEffect, useState } from 'preact/hooks';
import { type Digits, LANGUAGES, type Language, useSpeech } from '../../i18n';
import { pointName, promises } from '../../i18n/sentences';
import { installer } from '../offline/register';
import { useAppState } from '../state';
import { PinSettings } from './pin';

export function SettingsScreen() {
  const speech = useSpeech();
  const { t, number } = speech;
  const { settings, change, engine } = useAppState();
  const [storage, setStorage] = useState<{ megabytes: number; persisted: boolean } | null>(null);
  const install = installer();
  const card = engine.state === 'ready' ? engine.card : null;

  useEffect(() => {
    void (async () => {
      const estimate = await navigator.storage?.estimate?.();
      if (!estimate) return;
      setStorage({
        megabytes: (estimate.usage ?? 0) / 1e6,
        persisted: (await navigator.storage.persisted?.()) ?? false,
      });
    })();
  }, []);

  const point = settings.operatingPoint ?? card?.defaultOperatingPoint ?? '';
  const figures = card?.operatingPoints[point];
  return (
    <>
      <h1>{t.settings.title}</h1>
      <label class="field">
        <span>{t.settings.language}</span>
        <select
          value={settings.language}
          onChange={(event) => change({ language: event.currentTarget.value as Language })}
        >
          {Object.entries(LANGUAGES).map(([code, words]) => (
            <option key={code} value={code} lang={code}>
              {words.name}
            </option>
          ))}
        </select>
      </label>
      {settings.language === 'ar' && (
        <label class="field">
          <span>{t.settings.digits}</span>
          <select value={settings.digits} onChange={(event) => change({ digits: event.currentTarget.value as Digits })}>
            <option value="arab">٠١٢٣٤٥٦٧٨٩</option>
            <option value="latn">0123456789</option>
          </select>
        </label>
      )}
      {card && (
        <label class="field">
          <span>{t.point.label}</span>
          <select value={point} onChange={(event) => change({ operatingPoint: event.currentTarget.value })}>
            {Object.keys(card.operatingPoints).map((name) => (
              <option key={name} value={name}>
                {pointName(name, speech)}
              </option>
            ))}
          </select>
          {figures && promises(figures, speech).map((said) => <small key={said}>{said}</small>)}
        </label>
      )}
      <label class="field">
        <span>{t.settings.keep}</span>
        <select value={settings.keepDays} onChange={(event) => change({ keepDays: Number(event.currentTarget.value) })}>
          {[1, 7, 30].map((days) => (
            <option key={days} value={days}>
              {speech.days(days)}
            </option>
          ))}
          <option value={0}>{t.settings.keepForever}</option>
        </select>
      </label>
      <h2>{t.settings.lock}</h2>
      <PinSettings />
      <LinkSettings />
      {storage && (
        <>
          <h2>{t.settings.storage}</h2>
          <p>{t.settings.used(number(storage.megabytes, 1))}</p>
          <p>{storage.persisted ? t.settings.persisted : t.settings.notPersisted}</p>
          {install && <button onClick={() => void install()}>{t.settings.install}</button>}
          <p class="small">{t.settings.installIos}</p>
        </>
      )}
      {card && engine.state === 'ready' && (
        <>
          <h2>{t.settings.about}</h2>
          <dl>
            <dt>{t.report.reader}</dt>
            <dd lang="en" dir="ltr">
              {card.title}
            </dd>
            {card.training && (
              <>
                <dt>{t.settings.madeFrom}</dt>
                <CardText text={card.training} />
              </>
            )}
            {card.intendedUse && (
              <>
                <dt>{t.settings.use}</dt>
                <CardText text={card.intendedUse} />
              </>
            )}
          </dl>
          <p>{t.settings.selfTest}</p>
          <p class="small">{t.settings.threads(number(engine.threads))}</p>
        </>
      )}
    </>
  );
}

/** A text of the reader's card, in the language of the screen where it is translated. */
function CardText({ text }: { text: string }) {
  const { t } = useSpeech();
  return text in t.card ? (
    <dd>{t.card[text]}</dd>
  ) : (
    <dd lang="en" dir="ltr">
      {text}
    </dd>
  );
}
