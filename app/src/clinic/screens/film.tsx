import { useMemo, useState } from 'preact/hooks';
import { Disclaimer, Notice } from '../../components/notice';
import { type View, WHOLE } from '../../components/panning';
import { ReadingSummary } from '../../components/reading';
import { StatusIcon } from '../../components/status';
import { statusOf } from '../../i18n/sentences';
import type { Film, Page, Row, Verdict } from '../api';
import { useDesk, useServer } from '../desk';
import { Fault } from '../fault';
import { IdentityStrip } from '../identity';
import { useAnswer, useLive } from '../live';
import { CorrectIdentity } from '../naming';
import { AtOnce, pictureOf, readingOf } from '../shown';
import { VerdictPanel } from '../verdict';
import { FilmViewer } from '../viewer';
import { useWords } from '../words';

interface Props {
  id: number;
  /** Called once a verdict was signed; then one key or one click signs. */
  signed?: (film: Film, verdict: Verdict) => void;
}

export function FilmScreen({ id, signed }: Props) {
  const { w, t, date, day } = useWords();
  const { card, session } = useDesk();
  const server = useServer();
  const { answer: film, fault, again } = useAnswer<Film>(() => server.call('GET', `/api/films/${id}`), [id]);
  const connected = useLive(again, id);
  const [beside, setBeside] = useState<Film | null>(null);
  const [view, setView] = useState<View>(WHOLE);
  if (!film) return fault ? <Fault fault={fault} again={again} /> : <p role="status">{t.loading}</p>;
  const others = film.looking.filter((name) => name !== session.name);
  const reading = film.reading && readingOf(film);
  const compare = (prior: Row) =>
    beside?.id === prior.id
      ? setBeside(null)
      : void server.call<Film>('GET', `/api/films/${prior.id}`).then(setBeside, () => undefined);

  return (
    <>
      {!connected && <Notice kind="warning">{w.stale}</Notice>}
      <Fault fault={fault} again={again} />
      <div class="columns">
        <div class={beside ? 'films two' : 'films'}>
          {[film, ...(beside ? [beside] : [])].map((one) => (
            <figure class="shown" key={one.id}>
              <figcaption>
                <IdentityStrip row={one}>{one === film && <Answer film={film} />}</IdentityStrip>
              </figcaption>
              <Shown film={one} view={view} change={setView} />
            </figure>
          ))}
        </div>
        <div class="panel">
          <AtOnce row={film} />
          {film.identity === 'contradicted' && (
            <Notice kind="warning">
              {w.identities.held} <a href="#/identities">{w.identities.decide}</a>
            </Notice>
          )}
          {others.length > 0 && <Notice kind="info">{w.film.looking(others.join(', '))}</Notice>}
          {film.review === 'split' && <Notice kind="warning">{w.worklist.split}</Notice>}
          {film.conflict && <Notice kind="warning">{w.worklist.conflict}</Notice>}
          {reading ? (
            <>
              <ReadingSummary reading={reading} card={card} />
              <Disclaimer card={card} />
            </>
          ) : (
            <Notice kind="info">{w.film.waiting}</Notice>
          )}
          {reading && (
            <VerdictPanel
              key={film.reading!.id}
              film={film}
              quick={signed !== undefined}
              signed={(verdict) => (verdict && signed ? signed(film, verdict) : again())}
            />
          )}
          <div class="row">
            {!signed && <NextFilm id={id} />}
            {reading && (
              <a class="button" href={`#/report/${id}`}>
                {w.film.report}
              </a>
            )}
          </div>
          <h2>{w.film.about}</h2>
          <dl>
            {film.accession_number && (
              <>
                <dt>{w.film.accession}</dt>
                <dd>
                  <bdi>{film.accession_number}</bdi>
                </dd>
              </>
            )}
            {film.file_name && (
              <>
                <dt>{w.film.file}</dt>
                <dd>
                  <bdi>{film.file_name}</bdi>
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
          {session.role !== 'viewer' && <CorrectIdentity film={film} done={again} />}
          {film.deliveries.length > 0 && (
            <>
              <h2>{w.film.deliveries}</h2>
              {film.misfiled.length > 0 && (
                <Notice kind="warning">
                  {w.film.misfiled([...new Set(film.misfiled.map((one) => one.destination))].join(', '))}
                  <ul class="plain" dir="ltr">
                    {film.misfiled.map(({ destination, kind, uid }) => (
                      <li key={destination + uid}>
                        <bdi>{destination}</bdi>: {w.delivery[kind]} <small>{uid}</small>
                      </li>
                    ))}
                  </ul>
                </Notice>
              )}
              <ul class="plain">
                {film.deliveries.map((one) => (
                  <li key={`${one.destination} ${one.kind}`}>
                    <bdi>{one.destination}</bdi>: {w.delivery[one.kind]} {w.delivery[one.state] ?? one.state}
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
                  <Said row={prior} />
                  <small>
                    {day(prior.date || prior.arrived_at)} · {isLater(prior, film) ? w.film.after : w.film.before}
                    {!prior.later && ` · ${w.film.newest}`}
                  </small>
                </a>
                <button aria-pressed={beside?.id === prior.id} onClick={() => compare(prior)}>
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

const isLater = (one: Row, other: Row): boolean => {
  const when = (row: Row) => [row.date, row.time, row.arrived_at].join(' ');
  return when(one) > when(other);
};

/** Status, lung and probability in one line. */
export function Said({ row }: { row: Row }) {
  const speech = useWords();
  const { status, side, probability } = row;
  if (status === 'waiting') return <strong>{speech.w.worklist.waiting}</strong>;
  const read = status !== 'refused' && status !== 'failed' && probability !== null;
  return (
    <strong>
      {statusOf({ status, side }, speech)}
      {read && ` · ${speech.percent(probability)}`}
    </strong>
  );
}

/** The answer, above the film on a screen that is too narrow for both beside each other. */
function Answer({ film }: { film: Film }) {
  return (
    <span class={`answer ${film.status === 'waiting' ? 'refused' : film.status}`} aria-hidden="true">
      {film.status !== 'waiting' && <StatusIcon status={film.status} />}
      <Said row={film} />
    </span>
  );
}

interface ShownProps {
  film: Film;
  view: View;
  change: (next: (view: View) => View) => void;
}

function Shown({ film, view, change }: ShownProps) {
  const { w } = useWords();
  const { card } = useDesk();
  const server = useServer();
  // Fetched only by those who look beyond the film's own window: they weigh as much as its picture.
  const [wanted, setWanted] = useState(false);
  const range = useAnswer(() => (wanted ? server.fullRange(film.id) : Promise.resolve(null)), [film.id, wanted]);
  // The viewer starts again with another picture: a change elsewhere must not move the film under somebody's eyes.
  const picture = useMemo(() => pictureOf(film), [film.id, film.reading?.id, film.available]);
  if (!film.available) return <Notice kind="info">{w.errors.gone}</Notice>;
  if (!picture) return film.reading ? <Notice kind="info">{w.errors.unreadable}</Notice> : null;
  return (
    <FilmViewer
      picture={picture}
      mapped={film.reading!.status !== 'refused'}
      fullColour={film.reading!.heatmap_reference || card.heatmapReference}
      fullRange={range.answer}
      onAdjusted={() => setWanted(true)}
      view={view}
      change={change}
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
    </FilmViewer>
  );
}

/** The next film that waits for a person, as the worklist has it now. */
function NextFilm({ id }: { id: number }) {
  const { w } = useWords();
  const server = useServer();
  const { answer } = useAnswer<Page>(() => server.call('POST', '/api/worklist', { view: 'open' }), [id]);
  const rows = answer?.rows.filter((row) => row.status !== 'waiting') ?? [];
  const next = rows[rows.findIndex((row) => row.id === id) + 1] ?? rows.find((row) => row.id !== id);
  return (
    <a class="button primary" href={next && next.id !== id ? `#/film/${next.id}` : '#/worklist'}>
      {next && next.id !== id ? w.film.next : w.nav.worklist}
    </a>
  );
}
