import { StatusIcon } from '../../components/status';
import { Warnings } from '../../components/reading';
import { Disclaimer } from '../../components/notice';
import { Lungs } from '../../components/lungs';
import { pointName, promises, reasonOf, sentence, statusOf } from '../../i18n/sentences';
import type { Film, Verdict } from '../api';
import { useDesk, useServer } from '../desk';
import { Fault } from '../fault';
import { nameOf, usePerson } from '../identity';
import { useAnswer } from '../live';
import { AtOnce, pictureOf, readingOf } from '../shown';
import { Hottest, isBlank } from '../viewer';
import { useWords } from '../words';

export function ReportScreen({ id }: { id: number }) {
  const { w, t } = useWords();
  const server = useServer();
  const { answer: film, fault, again } = useAnswer<Film>(() => server.call('GET', `/api/films/${id}`), [id]);
  if (!film) return fault ? <Fault fault={fault} again={again} /> : <p role="status">{t.loading}</p>;
  if (!film.reading) return <p role="status">{w.film.waiting}</p>;
  return (
    <div class="paper">
      <div class="row no-print">
        <button class="primary" onClick={() => print()}>
          {t.report.print}
        </button>
        <a class="button" href={`#/film/${id}`}>
          {t.home.back}
        </a>
      </div>
      <ReportPage film={film} />
    </div>
  );
}

/** One page on paper: whose film it is, what the reader said, what each person said, and what now. */
function ReportPage({ film }: { film: Film }) {
  const speech = useWords();
  const { w, t, percent, date, day, language } = speech;
  const { card } = useDesk();
  const reading = readingOf(film);
  const picture = pictureOf(film);
  const blank = picture !== null && isBlank(picture, film.reading!.heatmap_reference || card.heatmapReference);
  const point = card.operatingPoints[reading.operatingPoint];
  const { about, made } = usePerson()(film);
  const standing = film.history.filter((verdict) => !film.history.some((later) => later.amends === verdict.id));
  const finals = standing.filter((verdict) => verdict.diagnosis);
  const diagnoses: Record<Verdict['diagnosis'], string> = {
    '': '',
    positive: t.form.reference_positive,
    negative: t.form.reference_negative,
  };
  const now = film.at_once.length ? 'at_once' : film.review === 'split' ? 'split' : reading.status;
  const facts: [string, string][] = [
    [w.film.patient, film.patient],
    [w.film.name, nameOf(film.name, language)],
    [w.film.ageAndSex, about],
    [w.film.born, film.birth_date && day(film.birth_date)],
    [w.film.date, made],
    [w.film.accession, film.accession_number],
  ];
  return (
    <article class="report">
      <header>
        <strong>{film.site}</strong>
        <h1>{t.report.title}</h1>
      </header>
      <dl class="pairs">
        {facts
          .filter(([, said]) => said)
          .map(([name, said]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <bdi>{said}</bdi>
              </dd>
            </div>
          ))}
      </dl>
      <AtOnce row={film} />
      <div class={`reading ${reading.status}`}>
        <StatusIcon status={reading.status} />
        <h2>{statusOf(reading, speech)}</h2>
        <p>{sentence(reading, speech, card)}</p>
        {reading.codes
          .filter((code) => code !== 'abstained')
          .slice(0, 1)
          .map((code) => (
            <p key={code}>{reasonOf(code, speech, card).reason}</p>
          ))}
        <Warnings reading={reading} card={card} />
      </div>
      {picture && (
        <div class="pictures">
          <figure>
            <img src={picture.picture} alt={t.viewer.film} />
            <figcaption>{t.report.film}</figcaption>
          </figure>
          {reading.status !== 'refused' && (
            <figure>
              <div class="overlay">
                <img src={picture.picture} alt={t.report.map} />
                {!blank && <Hottest picture={picture} />}
                <Lungs lungs={picture.lungs} />
              </div>
              {blank ? (
                <figcaption>{t.viewer.blankMap}</figcaption>
              ) : (
                <figcaption>
                  <span class="hottest-line" aria-hidden="true" /> {w.film.hottest}
                </figcaption>
              )}
            </figure>
          )}
        </div>
      )}
      <h2>{w.report.opinions}</h2>
      {standing.length === 0 && <p>{t.form.none}</p>}
      <ul class="plain opinions">
        {standing.map((verdict) => (
          <li key={verdict.id}>
            <strong>
              <bdi>{verdict.by}</bdi> {w.verdict.says[verdict.agreement]}
            </strong>{' '}
            <small>{date(Date.parse(verdict.signed_at))}</small>
            {verdict.note && <p dir="auto">{verdict.note}</p>}
          </li>
        ))}
      </ul>
      {film.review === 'split' && <p class="mark-split">{w.report.disagree}</p>}
      <h2>{w.report.diagnosis}</h2>
      {finals.length === 0 && <p>{t.form.reference_unknown}</p>}
      {finals.map((verdict) => (
        <p key={verdict.id}>
          <strong>{diagnoses[verdict.diagnosis]}</strong>
          {verdict.diagnosis_words && (
            <>
              : <bdi>{verdict.diagnosis_words}</bdi>
            </>
          )}{' '}
          <small>
            (<bdi>{verdict.by}</bdi>)
          </small>
        </p>
      ))}
      <h2>{w.report.now}</h2>
      <p>{w.report.next[now]}</p>
      <p class="small">
        {t.report.reader}: <bdi>{reading.reader}</bdi> · {pointName(reading.operatingPoint, speech)} (
        {percent(reading.suspectedFrom)}) · {t.report.date} {date(reading.readAt)}
      </p>
      {point && <p class="small">{promises(point, speech).join(' ')}</p>}
      <Disclaimer card={card} />
      <dl>
        <dt>{t.report.signature}</dt>
        <dd class="signature" />
      </dl>
    </article>
  );
}
