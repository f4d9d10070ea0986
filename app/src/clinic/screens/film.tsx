import { useMemo, useState } from 'preact/hooks';
import { ReadingSummary, wasRead } from '../../components/reading';
import { Disclaimer, Notice } from '../../components/notice';
import { Viewer } from '../../components/viewer';
import { call, type Film, fullRange, type Page } from '../api';
import { useDesk } from '../clinic';
import { Fault } from '../fault';
import { useAnswer, useLive } from '../live';
import { pictureOf, readingOf } from '../shown';
import { VerdictPanel } from '../verdict';
import { useWords } from '../words';
import { useAge } from './worklist';

export function FilmScreen({ id }: { id: number }) {
  const { w, t, date, day, percent } = useWords();
  const { card, session } = useDesk();
  const { answer: film, fault, again } = useAnswer<Film>(() => call('GET', `/api/films/${id}`), [id]);
  const connected = useLive(again, id);
  const [beside, setBeside] = useState<Film | null>(null);
  const age = useAge();
  if (!film) return fault ? <Fault fault={fault} again={again} /> : <p role="status">{t.loading}</p>;
  const others = film.looking.filter((name) => name !== session.name);
  const reading = film.reading && readingOf(film);

  return (
    <>
      {!connected && <Notice kind="warning">{w.stale}</Notice>}
      <Fault fault={fault} again={again} />
      {others.length > 0 && <Notice kind="info">{w.film.looking(others.join(', '))}</Notice>}
      {film.review === 'split' && <Notice kind="warning">{w.worklist.split}</Notice>}
      {film.conflict && <Notice kind="warning">{w.worklist.conflict}</Notice>}
      <div class="columns">
        <div class="films">
          <Shown film={film} title={film.date ? day(film.date) : undefined} />
          {beside && (
            <Shown key={beside.id} film={beside} title={w.film.prior(day(beside.date || beside.arrived_at))} />
          )}
        </div>
        <div class="panel">
          {reading ? (
            <>
              <ReadingSummary reading={reading} card={card} />
              <Disclaimer card={card} />
            </>
          ) : (
            <Notice kind="info">{w.film.waiting}</Notice>
          )}
          {reading && <VerdictPanel key={film.reading!.id} film={film} signed={again} />}
          <div class="row">
            <NextFilm id={id} />
            {reading && wasRead(reading) && (
              <a class="button" href={`#/report/${id}`}>
                {w.film.report}
              </a>
            )}
          </div>
          <h2>{w.film.about}</h2>
          <dl>
            <dt>{w.film.patient}</dt>
            <dd>
              <bdi>{film.patient || w.worklist.noPatient}</bdi>
            </dd>
            {film.name && (
              <>
                <dt>{w.film.name}</dt>
                <dd>
                  <bdi>{film.name.replaceAll('^', ' ').trim()}</bdi>
                </dd>
              </>
            )}
            {film.age_years !== null && (
              <>
                <dt>{w.film.age}</dt>
                <dd>{age(film.age_years)}</dd>
              </>
            )}
            {film.date && (
              <>
                <dt>{w.film.date}</dt>
                <dd>{day(film.date)}</dd>
              </>
            )}
            {film.accession_number && (
              <>
                <dt>{w.film.accession}</dt>
                <dd>
                  <bdi>{film.accession_number}</bdi>
                </dd>
              </>
            )}
            <dt>{w.film.arrived}</dt>
            <dd>
              {date(Date.parse(film.arrived_at))} · {w.worklist.origins[film.origin]}
            </dd>
            {film.reading && (
              <>
                <dt>{w.film.reader}</dt>
                <dd>
                  <bdi>{film.reading.reader}</bdi>
                </dd>
              </>
            )}
          </dl>
          {film.deliveries.length > 0 && (
            <>
              <h2>{w.film.deliveries}</h2>
              <ul class="plain">
                {film.deliveries.map((one) => (
                  <li key={`${one.destination} ${one.kind}`}>
                    <bdi>{one.destination}</bdi>: {w.delivery[one.kind]} {w.delivery[one.state]}
                    {one.why && (
                      <small lang="en" dir="ltr">
                        {' '}
                        {one.why}
                      </small>
                    )}
                  </li>
                ))}
              </ul>
            </>
          )}
          <h2>{w.film.priors}</h2>
          {film.priors.length === 0 && <p class="small">{w.film.noPriors}</p>}
          <ul class="list">
            {film.priors.map((prior) => (
              <li key={prior.id} class={`prior ${prior.status}`}>
                <a href={`#/film/${prior.id}`} class={`what ${prior.status}`}>
                  <strong>
                    {prior.status === 'waiting' ? w.worklist.waiting : t.status[prior.status]}
                    {prior.status !== 'waiting' &&
                      !['refused', 'failed'].includes(prior.status) &&
                      prior.probability !== null &&
                      ` · ${percent(prior.probability)}`}
                  </strong>
                  <small>{day(prior.date || prior.arrived_at)}</small>
                </a>
                <button
                  aria-pressed={beside?.id === prior.id}
                  onClick={() =>
                    beside?.id === prior.id
                      ? setBeside(null)
                      : void call<Film>('GET', `/api/films/${prior.id}`).then(setBeside, () => undefined)
                  }
                >
                  {beside?.id === prior.id ? w.film.apart : w.film.compare}
                </button>
              </li>
            ))}
          </ul>
        </div>
      </div>
    </>
  );
}

function Shown({ film, title }: { film: Film; title?: string }) {
  const { w } = useWords();
  const { card } = useDesk();
  // Fetched only by those who look beyond the film's own window: they weigh as much as its picture.
  const [wanted, setWanted] = useState(false);
  const range = useAnswer(() => (wanted ? fullRange(film.id) : Promise.resolve(null)), [film.id, wanted]);
  // The viewer starts again with another picture: a change elsewhere must not move the film under somebody's eyes.
  const picture = useMemo(() => pictureOf(film), [film.id, film.reading?.id, film.available]);
  if (!film.available) return <Notice kind="info">{w.errors.gone}</Notice>;
  if (!picture) return film.reading ? <Notice kind="info">{w.errors.unreadable}</Notice> : null;
  return (
    <figure class="shown">
      {title && <figcaption dir="auto">{title}</figcaption>}
      <Viewer
        picture={picture}
        heatmap={film.reading!.status !== 'refused'}
        fullColour={film.reading!.heatmap_reference || card.heatmapReference}
        fullRange={range.answer}
        onAdjusted={() => setWanted(true)}
      >
        <p class="small">{w.film.window}</p>
        {wanted && !range.fault && (
          <p class="small" role="status">
            {range.answer ? w.film.allValues : w.film.valuesComing}
          </p>
        )}
        {range.fault?.code === 'no_values' ? (
          <p class="small">{w.errors.no_values}</p>
        ) : (
          <Fault fault={range.fault} again={range.again} />
        )}
        <p>
          <a href={picture.picture} target="_blank" rel="noreferrer">
            {w.film.original}
          </a>
        </p>
      </Viewer>
    </figure>
  );
}

/** The next film that waits for a person, as the worklist has it now. */
function NextFilm({ id }: { id: number }) {
  const { w } = useWords();
  const { answer } = useAnswer<Page>(() => call('POST', '/api/worklist', { view: 'open' }), [id]);
  const rows = answer?.rows.filter((row) => row.status !== 'waiting') ?? [];
  const next = rows[rows.findIndex((row) => row.id === id) + 1] ?? rows.find((row) => row.id !== id);
  return (
    <a class="button primary" href={next && next.id !== id ? `#/film/${next.id}` : '#/worklist'}>
      {next && next.id !== id ? w.film.next : w.nav.worklist}
    </a>
  );
}
