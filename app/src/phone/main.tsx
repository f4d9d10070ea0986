import { render } from 'preact';
import { App } from './app';
import { ReaderClient } from '../reader/client';
import '../components/style.css';
import { Worklist } from '../worklist/store';

// Without IndexedDB (a private window of some browsers) films are read all the same, and not kept.
const worklist = await Worklist.open().catch(() => null);
render(<App client={new ReaderClient()} worklist={worklist} />, document.getElementById('app')!);
