import './older-browsers.ts'
import { mount } from 'svelte'
import App from './App.svelte'
import './look/tokens.css'
import './look/base.css'
import { spoken } from './messages/say.ts'
import { showLook } from './state/look.svelte.ts'
import { followAddress } from './state/router.svelte.ts'

document.documentElement.lang = spoken
showLook()
followAddress()
const target = document.getElementById('app')
if (target) mount(App, { target })
