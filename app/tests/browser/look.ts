import { launch, phone, read, SAMPLES, serve } from './harness';
const s = await serve(); const b = await launch();
const out='/work/tmp/app/';
for (const [lang,loc] of [['en','en-GB'],['ar','ar']] as const) {
  const {page} = await phone(b, s.url, {locale: loc});
  await page.waitForTimeout(1500);
  await page.screenshot({path:`${out}${lang}-home.png`});
  for (const f of ['pneumonia_03','normal_02','normal_10']) {
    await read(page, `${SAMPLES}/${f}.png`);
    await page.waitForTimeout(300);
    await page.screenshot({path:`${out}${lang}-${f}.png`, fullPage:true});
    await page.goBack(); await page.goto(s.url+'#/');
  }
  console.log(await page.evaluate(()=>crossOriginIsolated));
}
await b.close(); await s.stop();
