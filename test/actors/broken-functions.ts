/** A module of functions that fails to load. */
import { defineFunctions } from 'scatterhoard'

export const broken = defineFunctions('broken', import.meta.url, { never: () => 0 })

throw new Error('this module is broken')
