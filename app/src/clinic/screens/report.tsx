import { Report } from '../../components/report';
import { call, type Film } from '../api';
import { useDesk } from '../clinic';
import { Fault } from '../fault';
import { useAnswer } from '../live';
import { pictureOf, readingOf } from '../shown';
import { useWords } from '../words';

export function ReportScreen({ id }: { id: number }) {
  const { w, t } = useWords();
  const { card } = useDesk();
  const { answer: film, fault, again } = useAnswer<Film>(() => call('GET', `/api/films/${id}`), [id]);
  if (!film) return fault ? <Fault fault={fault} again={again} /> : <p role="status">{t.loading}</p>;
  if (!film.reading) return <p role="status">{w.film.waiting}</p>;
  const standing = film.history.filter((verdict) => !film.history.some((later) => later.amends === verdict.id));
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
      <Report
        reading={readingOf(film)}
        picture={pictureOf(film)}
        card={card}
        signatures={standing.map((verdict) => ({
          by: verdict.by,
          says: w.verdict.says[verdict.agreement],
          at: Date.parse(verdict.signed_at),
        }))}
      />
    </div>
  );
}
