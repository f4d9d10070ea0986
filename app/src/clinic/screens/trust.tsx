import { useAnswer } from '../live';
import { useServer } from '../desk';
import { useWords } from '../words';

/** Public: whoever reads this has not yet trusted the server, and is not logged in. */
export function TrustScreen() {
  const { w, t } = useWords();
  const server = useServer();
  const { answer, fault } = useAnswer<{ sha256: string }>(() => server.call('GET', '/api/certificate'), []);
  const systems: [string, string[]][] = [
    [w.trust.android, w.trust.androidSteps],
    [w.trust.iphone, w.trust.iphoneSteps],
    [w.trust.windows, w.trust.windowsSteps],
    [w.trust.linux, w.trust.linuxSteps],
  ];
  return (
    <div class="narrow">
      <h1>{w.trust.title}</h1>
      <p>{w.trust.why}</p>
      {fault && <p>{w.trust.plain}</p>}
      {answer && (
        <>
          <p>{w.trust.compare}</p>
          <code class="fingerprint" dir="ltr">
            {answer.sha256}
          </code>
          <a class="button big primary" href="/trust/clinic.crt" download="clinic.crt">
            {w.trust.download}
          </a>
          {systems.map(([title, steps]) => (
            <section key={title}>
              <h2>{title}</h2>
              <ol>
                {steps.map((step) => (
                  <li key={step}>{step}</li>
                ))}
              </ol>
            </section>
          ))}
        </>
      )}
      <p>
        <a href="#/">{t.home.back}</a>
      </p>
    </div>
  );
}
