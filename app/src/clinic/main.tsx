import { render } from 'preact';
import '../components/style.css';
import { Clinic } from './clinic';
import './clinic.css';

render(<Clinic />, document.getElementById('app')!);
