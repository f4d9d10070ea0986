import { useState } from 'preact/hooks';
import { useWords } from '../words';

export function ExportsScreen() {
  const { w } = useWords();
  const [month, setMonth] = useState(new Date().toISOString().slice(0, 7));
  const files: [string, string, string][] = [
    ['readings.csv', w.exports.csv, w.exports.csvHint],
    ['readings.jsonl', w.exports.jsonl, w.exports.jsonlHint],
    ['site.zip', w.exports.site, w.exports.siteHint],
  ];
  return (
    <>
      <h1>{w.exports.title}</h1>
      <p>{w.exports.hint}</p>
      <div class="stacked">
        {files.map(([file, title, hint]) => (
          <a key={file} class="button wide" href={`/api/exports/${file}`} download>
            <span>{title}</span> <small>{hint}</small>
          </a>
        ))}
      </div>
      <h2>{w.exports.month}</h2>
      <p>{w.exports.monthHint}</p>
      <div class="row ends">
        <label class="field">
          <span>{w.exports.month}</span>
          <input type="month" value={month} onInput={(event) => setMonth(event.currentTarget.value)} />
        </label>
        <a class="button" href={`/monthly/${month}`} target="_blank" rel="noreferrer">
          {w.exports.show}
        </a>
      </div>
      <h2>{w.exports.fhir}</h2>
      <p>{w.exports.fhirHint}</p>
      <p>
        <code dir="ltr">{location.origin}/fhir/DiagnosticReport</code>
      </p>
    </>
  );
}
