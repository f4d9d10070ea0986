import { Report, reportText } from '../../components/report';
import { useSpeech } from '../../i18n';
import { useCase } from '../hooks/case';
import { cardOf, useAppState } from '../state';
import { Unlock } from './pin';

/** The report of a reading, to print or to save as PDF through the browser. */
export function ReportScreen({ id }: { id: string }) {
  const speech = useSpeech();
  const { t } = speech;
  const app = useAppState();
  const shown = useCase(id);
  const card = cardOf(app);
  if (!shown && app.worklist?.locked) return <Unlock />;
  if (!shown || !card) return <p role="status">{t.loading}</p>;
  const { reading, picture } = shown;
  const share = () =>
    void navigator.share({ title: t.report.title, text: reportText(reading, speech, card) }).catch(() => undefined);
  return (
    <>
      <div class="row no-print">
        <button class="primary" onClick={() => print()}>
          {t.report.print}
        </button>
        {'share' in navigator && <button onClick={share}>{t.report.share}</button>}
      </div>
      <Report reading={reading} picture={picture} card={card} />
    </>
  );
}
