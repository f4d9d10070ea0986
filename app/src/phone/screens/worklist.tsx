import { useEffect, useState } from 'preact/hooks';
import { Ask } from '../../components/ask';
import { download } from '../../components/download';
import { Disclaimer, Notice } from '../../components/notice';
import { StatusIcon } from '../../components/status';
import { speech as speechOf, useSpeech } from '../../i18n';
import { reasonOf, warningOf } from '../../i18n/sentences';
import { toCsv, toJsonLines } from '../../worklist/export';
import { byUrgency, matches, type Reading } from '../../worklist/reading';
import { LIMIT } from '../../worklist/store';
import { cardOf, useRoom } from '../room';
import { Unlock } from './pin';

export function WorklistScreen() {
  const speech = useSpeech();
  const { t, number, percent, date } = speech;
  const room = useRoom();
  const { worklist } = room;
  const [readings, setReadings] = useState<Reading[] | null>(null);
  const [search, setSearch] = useState('');
  const [doomed, setDoomed] = useState<string[] | null>(null);
  const locked = worklist?.locked ?? false;
  const load = () => void worklist?.all().then((all) => setReadings(all.sort(byUrgency)));

  useEffect(() => {
    if (!locked) load();
  }, [locked]);

  if (!worklist) return <Notice kind="warning">{t.worklist.storageFailed}</Notice>;
  if (locked) return <Unlock />;
  if (!readings) return <p role="status">{t.loading}</p>;

  const found = readings.filter((reading) => matches(reading, search));
  const card = cardOf(room);
  const stamp = new Date().toISOString().slice(0, 10);
  // For machines, in one language.
  const english = speechOf('en', 'latn');
  const texts = (reading: Reading) => ({
    reasons: reading.codes.map((code) => reasonOf(code, english, card).reason),
    warnings: reading.warnings.map((code) => warningOf(code, english, card)),
  });
  const verdicts: Record<string, string> = { agree: t.form.agree, disagree: t.form.disagree, unsure: t.form.unsure };

  return (
    <>
      <h1>{t.worklist.title}</h1>
      {readings.length >= LIMIT && <Notice kind="warning">{t.worklist.full}</Notice>}
      {readings.length === 0 ? (
        <p class="large">{t.worklist.empty}</p>
      ) : (
        <>
          <label class="field">
            <span>{t.worklist.search}</span>
            <input type="search" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
          </label>
          <p class="small" role="status">
            {found.length === 0 ? t.worklist.none : t.worklist.count(number(readings.length), number(LIMIT))}
          </p>
          <ul class="list">
            {found.map((reading) => (
              <li key={reading.id} class={reading.status}>
                <a href={`#/reading/${reading.id}`}>
                  <StatusIcon status={reading.status} />
                  <span class="what">
                    <strong>
                      {t.status[reading.status]}
                      {reading.probability !== null &&
                        reading.status !== 'refused' &&
                        ` · ${percent(reading.probability)}`}
                    </strong>
                    <span>
                      <bdi>{reading.patient || t.worklist.noCode}</bdi>
                      {reading.age !== null && ` · ${t.worklist.age(number(reading.age, 1))}`}
                    </span>
                    <small>
                      {date(reading.readAt)} · <bdi>{reading.file}</bdi>
                    </small>
                    <small>{reading.verdict ? verdicts[reading.verdict] : t.form.none}</small>
                  </span>
                </a>
                <button
                  class="quiet"
                  aria-label={`${t.worklist.delete}: ${reading.patient || reading.file}`}
                  onClick={() => setDoomed([reading.id])}
                >
                  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
                    <path d="M4 6h16M9 6V3h6v3M6 6l1 15h10l1-15M10 10v7M14 10v7" />
                  </svg>
                </button>
              </li>
            ))}
          </ul>
          <h2>{t.worklist.export}</h2>
          <div class="stacked">
            <button
              onClick={() => download(`readings-${stamp}.jsonl`, 'application/x-ndjson', toJsonLines(readings, texts))}
            >
              {t.worklist.jsonl}
            </button>
            <button onClick={() => download(`readings-${stamp}.csv`, 'text/csv', toCsv(readings, card, texts))}>
              {t.worklist.csv}
            </button>
            <button class="danger" onClick={() => setDoomed(readings.map((reading) => reading.id))}>
              {t.worklist.deleteAll}
            </button>
          </div>
          <Disclaimer card={card} />
        </>
      )}
      {doomed && (
        <Ask
          question={doomed.length === 1 ? t.worklist.confirmDelete : t.worklist.confirmAll}
          yes={doomed.length === 1 ? t.worklist.delete : t.worklist.deleteAll}
          no={t.worklist.cancel}
          answer={(sure) => {
            setDoomed(null);
            if (sure) void worklist.delete(doomed).then(load);
          }}
        />
      )}
    </>
  );
}
