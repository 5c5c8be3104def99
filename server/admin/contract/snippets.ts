/** Ready-made configuration for programs beside Lanthorn, to copy or save. */
import { Type } from 'typebox'

/** Several files. */
export const Snippets = Type.Object(
  {
    snippets: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          title: Type.String(),
          sentence: Type.String({ description: 'What it is for and where it goes.' }),
          file: Type.String({ description: 'Its usual file name.' }),
          text: Type.String(),
        },
        { additionalProperties: false },
      ),
      { maxItems: 20 },
    ),
  },
  { additionalProperties: false },
)
