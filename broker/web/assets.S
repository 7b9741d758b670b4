/* assets.S - the files of the pages, as they are, within the program. The directories are in the
 * assembler's path: see the Makefile. */
	.section .rodata, "a", %progbits

.macro asset name, file
	.global asset_\name
	.global asset_\name\()_end
	.balign 16
asset_\name:
	.incbin "\file"
asset_\name\()_end:
	.byte 0
.endm

	asset openapi_schemas, "openapi-schemas.json"
	asset style_css, "style.css"
	asset oudp_js, "oudp.js"
	asset icon_svg, "icon.svg"
	asset leaflet_js, "leaflet.min.js"
	asset leaflet_css, "leaflet.css"

	.section .note.GNU-stack, "", %progbits
