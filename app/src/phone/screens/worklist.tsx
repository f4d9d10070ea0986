import { useEffect, useRef, useState } from 'preact/hooks';
import { Ask } from '../../components/ask';
import { download } from '../../components/download';
import { Disclaimer, Notice } from '../../components/notice';
import { StatusIcon } from '../../components/status';
import { STATUSES } from '../../contract/names';
import { useSpeech } from '../../i18n';
import { statusOf } from '../../i18n/sentences';
import { toCsv, toJsonLines } from '../../worklist/export';
import { byUrgency, matches, type Reading } from '../../worklist/reading';
import { fromJsonLines, NotAReading } from '../../worklist/import';
import { LIMIT, WorklistFull } from '../../worklist/store';
import { cardOf, useAppState } from '../state';
import { Unlock } from './pin';

/** Readings on one page: more would be a long way to scroll. */
const PAGE = 20;

export function WorklistScreen() {
  const speech = useSpeech();
  const { t, number, percent, count, age, date } = speech;
  const app = useAppState();
  const { worklist } = app;
  const [readings, setReadings] = useState<Reading[] | null>(null);
  const [search, setSearch] = useState('');
  const [only, setOnly] = useState('');
  const [shown, setShown] = useState(PAGE);
  const [doomed, setDoomed] = useState<string[] | null>(null);
  const locked = worklist?.locked ?? false;
  const load = () => void worklist?.all().then((all) => setReadings(all.sort(byUrgency)));

  useEffect(() => {
    if (!locked) load();
  }, [locked]);

  if (!worklist) return <Notice kind="warning">{t.worklist.storageFailed}</Notice>;
  if (locked) return <Unlock />;
  if (!readings) return <p role="status">{t.loading}</p>;

  const wanted = (reading: Reading) =>
    !only || (only === 'unread' ? reading.verdict === null : reading.status === only);
  const found = readings.filter((reading) => wanted(reading) && matches(reading, search));
  const card = cardOf(app);
  const stamp = new Date().toISOString().slice(0, 10);
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
          <label class="field">
            <span>{t.worklist.only}</span>
            <select value={only} onChange={(event) => setOnly(event.currentTarget.value)}>
              <option value="">{t.worklist.all}</option>
              <option value="unread">{t.form.none}</option>
              {STATUSES.map((status) => (
                <option key={status} value={status}>
                  {t.status[status]}
                </option>
              ))}
            </select>
          </label>
          <p class="small" role="status">
            {found.length === 0 ? t.worklist.none : t.worklist.count(count('readings', found.length), number(LIMIT))}
          </p>
          <ul class="list">
            {found.slice(0, shown).map((reading) => (
              <li key={reading.id} class={reading.status}>
                <a href={`#/reading/${reading.id}`}>
                  <StatusIcon status={reading.status} />
                  <span class="what">
                    <strong>
                      {statusOf(reading, speech)}
                      {reading.probability !== null &&
                        reading.status !== 'refused' &&
                        ` · ${percent(reading.probability)}`}
                    </strong>
                    <span>
                      <bdi>{reading.patient || t.worklist.noCode}</bdi>
                      {reading.age !== null && ` · ${age(reading.age)}`}
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
          {found.length > shown && (
            <button class="more" onClick={() => setShown(shown + PAGE)}>
              {t.worklist.more(number(found.length - shown))}
            </button>
          )}
          <h2>{t.worklist.export}</h2>
          <div class="stacked">
            <button onClick={() => download(`readings-${stamp}.jsonl`, 'application/x-ndjson', toJsonLines(readings))}>
              {t.worklist.jsonl}
            </button>
            <button onClick={() => download(`readings-${stamp}.csv`, 'text/csv', toCsv(readings, card))}>
              {t.worklist.csv}
            </button>
            <button class="danger" onClick={() => setDoomed(readings.map((reading) => reading.id))}>
              {t.worklist.deleteAll}
            </button>
          </div>
        </>
      )}
      <Import done={load} />
      <Disclaimer card={card} />
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

/** Takes in what another device, or this one before it was wiped, has exported. */
function Import({ done }: { done: () => void }) {
  const { t, number, count } = useSpeech();
  const { worklist } = useAppState();
  const input = useRef<HTMLInputElement>(null);
  const [said, setSaid] = useState('');
  const take = async (file: File | undefined) => {
    if (!file) return;
    try {
      setSaid(t.worklist.imported(count('readings', await worklist!.addAll(fromJsonLines(await file.text())))));
      done();
    } catch (error) {
      if (error instanceof NotAReading) setSaid(t.worklist.importFailed(number(error.line)));
      else setSaid(error instanceof WorklistFull ? t.worklist.importFull : t.worklist.storageFull);
    }
  };
  return (
    <div class="stacked">
      <button onClick={() => input.current?.click()}>{t.worklist.import}</button>
      <input
        ref={input}
        hidden
        type="file"
        accept=".jsonl,application/x-ndjson"
        data-input="import"
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          event.currentTarget.value = '';
          void take(file);
        }}
      />
      <p role="status">{said}</p>
    </div>
  );
}
